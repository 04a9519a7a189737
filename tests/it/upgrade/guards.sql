-- The UPDATE triggers of version 0.1.0, from its `plan --sql`: pg_dump writes their conditions so that no server takes them.
DROP TRIGGER IF EXISTS "~phiseal_u" ON "public"."people";
CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON "public"."people" FOR EACH ROW WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND ROW(OLD."id", OLD."name", OLD."name_sealed", OLD."note", OLD."ssn", OLD."ssn_sealed", OLD."ssn_bidx")::record *<> ROW(NEW."id", NEW."name", NEW."name_sealed", NEW."note", NEW."ssn", NEW."ssn_sealed", NEW."ssn_bidx")::record) EXECUTE FUNCTION "phiseal".guard_update_8ac4f21ffdcb4955();
ALTER TABLE "public"."people" ENABLE ALWAYS TRIGGER "~phiseal_u";
DROP TRIGGER IF EXISTS "~phiseal_u" ON "public"."clinics";
CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON "public"."clinics" FOR EACH ROW WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND ROW(OLD."id", OLD."clinic", OLD."phone", OLD."phone_sealed")::record *<> ROW(NEW."id", NEW."clinic", NEW."phone", NEW."phone_sealed")::record) EXECUTE FUNCTION "phiseal".guard_update_a0581cf906d838dc();
ALTER TABLE "public"."clinics" ENABLE ALWAYS TRIGGER "~phiseal_u";
DROP TRIGGER IF EXISTS "~phiseal_u" ON "public"."visits";
CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON "public"."visits" FOR EACH ROW WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND ROW(OLD."clinic", OLD."id", OLD."reason", OLD."reason_sealed")::record *<> ROW(NEW."clinic", NEW."id", NEW."reason", NEW."reason_sealed")::record) EXECUTE FUNCTION "phiseal".guard_update_245fab202bd40a40();
ALTER TABLE "public"."visits" ENABLE ALWAYS TRIGGER "~phiseal_u";
DROP TRIGGER IF EXISTS "~phiseal_u" ON "public"."orders";
CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON "public"."orders" FOR EACH ROW WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND ROW(OLD."id", OLD."memo", OLD."memo_sealed")::record *<> ROW(NEW."id", NEW."memo", NEW."memo_sealed")::record) EXECUTE FUNCTION "phiseal".guard_update_b2852c9ff2f8f54c();
ALTER TABLE "public"."orders" ENABLE ALWAYS TRIGGER "~phiseal_u";
DROP TRIGGER IF EXISTS "~phiseal_u" ON "public"."refused";
CREATE TRIGGER "~phiseal_u" BEFORE UPDATE ON "public"."refused" FOR EACH ROW WHEN (current_setting('phiseal.engine', true) IS DISTINCT FROM 'on' AND ROW(OLD."id", OLD."code", OLD."code_sealed")::record *<> ROW(NEW."id", NEW."code", NEW."code_sealed")::record) EXECUTE FUNCTION "phiseal".guard_update_8fac4fa44d77277c();
ALTER TABLE "public"."refused" ENABLE ALWAYS TRIGGER "~phiseal_u";
