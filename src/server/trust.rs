//! The certificates that an https server has to be signed by: those of the platform, which may include a company's own
//! CA. None are part of the binary: they would grow old with it, and the system could take none back.

use std::ffi::OsString;

use anyhow::Result;
use ureq::tls::{Certificate, RootCerts};

use crate::failure::{Code, Failure};

/// Certificates to trust.
#[derive(Clone)]
pub struct Roots(pub(super) RootCerts);

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            RootCerts::Specific(certificates) => write!(f, "Roots({})", certificates.len()),
            _ => f.write_str("Roots"),
        }
    }
}

impl Roots {
    /// None: for a server without https.
    pub fn none() -> Roots {
        Roots(RootCerts::from(std::iter::empty()))
    }

    /// Reads the platform's; SSL_CERT_FILE and SSL_CERT_DIR name others in their stead.
    ///
    /// `rustls-native-certs` reads those two variables from the process itself; `variables` only says whether they are
    /// set, for the message.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure where there is no certificate.
    pub fn load(variables: &[(OsString, OsString)]) -> Result<Roots> {
        let loaded = rustls_native_certs::load_native_certs();
        if !loaded.certs.is_empty() {
            let all = loaded.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
            return Ok(Roots(all.into()));
        }
        let is_named = |(name, value): &&(OsString, OsString)| {
            (name == "SSL_CERT_FILE" || name == "SSL_CERT_DIR") && !value.is_empty()
        };
        let (message, hint) = match variables.iter().find(is_named) {
            None => (
                "this machine has no certificates by which an https server could be known".to_owned(),
                "install them (the package `ca-certificates`), or name a file of PEM certificates in SSL_CERT_FILE",
            ),
            Some((name, path)) => {
                let why = loaded.errors.first().map_or("nothing in it".to_owned(), ToString::to_string);
                (
                    format!("no certificate in {} ({}): {why}", path.display(), name.display()),
                    "name a file of PEM certificates there, or unset the variable",
                )
            }
        };
        Err(Failure::new(Code::BadConfig, message).hint(hint).into())
    }
}
