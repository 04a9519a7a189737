//! An authority of the tests' own, and the certificates it signs.

use super::NAME;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// A certificate with its key, both PEM.
pub struct Signed {
    pub certificate: String,
    pub key: String,
}

/// One authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server's, of [`NAME`].
    pub fn server(&self) -> Signed {
        self.sign(server_params())
    }

    /// The same, over since long.
    pub fn expired(&self) -> Signed {
        let mut params = server_params();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// The same, valid in a far future.
    pub fn not_yet_valid(&self) -> Signed {
        let mut params = server_params();
        params.not_before = date_time_ymd(2999, 1, 1);
        self.sign(params)
    }

    /// A client's, of this role.
    pub fn client(&self, role: &str) -> Signed {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, role);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A certificate that signs itself and says it is an authority's, as `openssl req -x509` does.
pub fn self_signed() -> Signed {
    let mut params = server_params();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Signed {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn server_params() -> CertificateParams {
    CertificateParams::new(vec![NAME.to_owned()]).unwrap()
}
