//! TLS with a server: which authorities to trust, the request for TLS, the handshake, and why it
//! failed.
//! Owns the only TLS of the PostgreSQL store, since the driver is built without. Certificates are
//! read once, together with the URL. With `sslrootcert`, only the certificates in that file are
//! trusted, as in libpq.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::error::io_fault;
use crate::error::tls_fault::TlsFault;
use crate::store::transport::SslMode;

/// SSLRequest: length 8, then 80877103
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The value of `sslrootcert` that means the system's authorities, as in libpq.
pub(super) const SYSTEM: &str = "system";

/// The paths of certificate files.
pub(super) struct Files<'a> {
    /// The authorities to trust instead of the system's.
    pub roots: Option<&'a str>,
    /// The client certificate and its key.
    pub client: Option<(&'a str, &'a str)>,
}

/// The server's answer to the request for TLS.
pub(super) enum Answer {
    /// The connection continues with TLS.
    Yes,
    /// The connection continues without TLS.
    No,
}

/// The TLS settings for all connections of one mode.
///
/// # Errors
/// The name of the parameter whose file cannot be read or used.
pub(super) fn client_config(mode: SslMode, files: &Files<'_>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if mode.verifies() {
        let roots = Arc::new(roots(files.roots)?);
        let full = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|_| "sslrootcert has no certificate in it".to_owned())?;
        if mode == SslMode::VerifyFull {
            full
        } else {
            Arc::new(AnyName(full))
        }
    } else {
        Arc::new(Anybody(Arc::clone(&provider)))
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| "TLS cannot be set up".to_owned())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some((certificate, key)) = files.client else {
        return Ok(Arc::new(config.with_no_client_auth()));
    };
    let chain = certificates(certificate, "sslcert")?;
    let key = PrivateKeyDer::from_pem_slice(&read(key, "sslkey")?)
        .map_err(|_| "sslkey is no private key in PEM".to_owned())?;
    let config = config
        .with_client_auth_cert(chain, key)
        .map_err(|_| "sslcert and sslkey do not belong together".to_owned())?;
    Ok(Arc::new(config))
}

fn roots(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match file {
        Some(path) if path != SYSTEM => {
            for certificate in certificates(path, "sslrootcert")? {
                let added = store.add(certificate);
                added.map_err(|_| "sslrootcert has a certificate that is none".to_owned())?;
            }
        }
        _ => {
            // The system's list may contain a certificate that cannot be read; the others are used.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(
                    "this system has no trusted authorities: name one with sslrootcert".to_owned(),
                );
            }
        }
    }
    Ok(store)
}

fn certificates(path: &str, parameter: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&read(path, parameter)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("{parameter} has no certificate in PEM")),
    }
}

fn read(path: &str, parameter: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    std::fs::read(Path::new(path))
        .map(Zeroizing::new)
        .map_err(|error| format!("{parameter} cannot be read: {}", io_fault::words(&error)))
}

/// Asks for TLS. Reads exactly one byte: any bytes that follow it unencrypted would later be taken
/// for the server's encrypted ones (CVE-2021-23222).
///
/// # Errors
/// That of the connection, or an answer that is neither yes nor no.
pub(super) async fn request<S>(server: &mut S) -> io::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    server.write_all(&SSL_REQUEST).await?;
    server.flush().await?;
    match server.read_u8().await? {
        b'S' => Ok(Answer::Yes),
        b'N' => Ok(Answer::No),
        // An old server without room for another session answers `E` with an unencrypted message.
        // Nothing that is not encrypted is believed (CVE-2024-10977).
        b'E' => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Makes the TLS handshake.
///
/// # Errors
/// Why the handshake failed; `None` if the connection was lost.
pub(super) async fn handshake<S>(
    server: S,
    config: &Arc<ClientConfig>,
    name: &str,
) -> Result<TlsStream<S>, Option<TlsFault>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsFault::WrongName)?;
    let connector = TlsConnector::from(Arc::clone(config));
    connector.connect(name, server).await.map_err(|error| {
        let inner = error.get_ref();
        inner
            .and_then(|e| e.downcast_ref::<rustls::Error>())
            .map(fault)
    })
}

fn fault(error: &rustls::Error) -> TlsFault {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => TlsFault::UnknownAuthority,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => TlsFault::WrongName,
            Bad::Expired | Bad::ExpiredContext { .. } => TlsFault::Expired,
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => TlsFault::NotYetValid,
            // The library has no variant for this error.
            Bad::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                TlsFault::AuthorityAsServer
            }
            _ => TlsFault::BadCertificate,
        },
        rustls::Error::AlertReceived(_) => TlsFault::ServerRefused,
        rustls::Error::InvalidMessage(_) => TlsFault::NotTls,
        _ => TlsFault::Handshake,
    }
}

/// For `verify-ca`: a certificate that a trusted authority signed, for any name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

/// For `require` and `prefer`: any certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The library verifies the chain before the name.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
