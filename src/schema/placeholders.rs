//! Placeholders, `${name}` as Flyway and MyBatis have them: filled from what was given, or named with
//! their lines.
//! Values go into the text as they are: they are the operator's, as the file is.

use super::script::Script;

/// Fills the placeholders of `text`.
///
/// # Errors
/// One line of words for each placeholder that has no value; those in comments need none.
pub(super) fn fill(text: &str, vars: &[(String, String)]) -> Result<String, Vec<String>> {
    let mut filled = String::with_capacity(text.len());
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let (before, from) = rest.split_at(begin);
        filled.push_str(before);
        let Some(name) = from[2..].split('}').next().filter(is_name) else {
            filled.push_str("${");
            rest = &from[2..];
            continue;
        };
        let whole = &from[..name.len() + 3];
        match vars.iter().find(|(given, _)| given == name) {
            Some((_, value)) => filled.push_str(value),
            None => {
                let at = text.len() - from.len();
                if !in_comment(&text[..at]) {
                    let line = text[..at].matches('\n').count() + 1;
                    faults.push(missing(line, name));
                }
                filled.push_str(whole);
            }
        }
        rest = &from[whole.len()..];
    }
    filled.push_str(rest);
    if faults.is_empty() {
        Ok(filled)
    } else {
        Err(faults)
    }
}

/// A line of words for each placeholder of a script that is not filled. Those in strings, dollar quotes,
/// quoted names and comments may be meant as they are; elsewhere a brace is no SQL.
pub(super) fn in_plain_sql(script: &Script) -> Vec<String> {
    let mut faults: Vec<String> = Vec::new();
    for statement in script.statements() {
        let mut behind = 0;
        for brace in statement.tokens.iter().filter(|token| token.text == "{") {
            let (before, from) = statement.text.split_at(brace.begin);
            let line = statement.line + before.matches('\n').count();
            let fault = if from.starts_with("{{") {
                Some(template(line))
            } else if before.ends_with('$') {
                let name = from[1..].split('}').next().filter(is_name);
                name.map(|name| missing(line, name))
            } else {
                None
            };
            if brace.begin >= behind {
                behind = brace.begin + 2;
                faults.extend(fault.filter(|fault| !faults.contains(fault)));
            }
        }
    }
    faults
}

fn missing(line: usize, name: &str) -> String {
    format!("line {line} has the placeholder ${{{name}}}: give it with --var {name}=VALUE")
}

fn template(line: usize) -> String {
    format!("line {line} has {{{{ }}}}, a template of another tool: write what it stands for")
}

fn is_name(name: &&str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    !name.is_empty() && name.chars().all(fits)
}

fn in_comment(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_plain_sql_a_brace_can_mean_nothing_else() {
        let found = |text| in_plain_sql(&Script::parse(text).unwrap());
        assert_eq!(
            found("SELECT 1;\n\nCREATE TABLE t_${a.b}\n (c int) TABLESPACE ${d}"),
            [missing(3, "a.b"), missing(4, "d")]
        );
        assert_eq!(found("DROP TABLE\n{{.prefix}}_a"), [template(2)]);
        for text in [
            "SELECT '${a}', E'\\'${a}', $$${a}$$, $x$ ${a} {{b}} $x$, \"${a}\", U&'${a}', '{{1,2}}'",
            "-- ${a}\nSELECT 1 /* ${a} /* ${b} */ */ -- ${c}",
            "CREATE TABLE a$b (c$ int)",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn placeholders_are_filled_or_named_by_line() {
        let vars = [("owner".to_owned(), "app".to_owned())];
        let text = "-- ${who}\nGRANT SELECT ON a TO ${owner};\nSELECT '$${}', '${ no}';";
        assert_eq!(fill(text, &vars).unwrap(), text.replace("${owner}", "app"));
        let faults = fill(text, &[]).unwrap_err();
        assert_eq!(
            faults,
            ["line 2 has the placeholder ${owner}: give it with --var owner=VALUE"]
        );
    }
}
