//! The system's certificate authorities, by the rules of Go's `crypto/x509`, as in docker.
//!
//! On Linux and other Unix systems they are the first of several files that exists, and the files of some directories.
//! `SSL_CERT_FILE` replaces the file, and `SSL_CERT_DIR` the directories. Missing files are no error, and neither are
//! unreadable ones, as long as there is any authority.

use std::sync::OnceLock;

use rustls::pki_types::CertificateDer;

use crate::env::Env;

/// Certificates, and a message about what could not be read.
type LoadedRoots = (Vec<CertificateDer<'static>>, String);

/// The authorities, read on first use.
#[derive(Debug)]
pub(crate) struct SystemRoots {
    file: Option<String>,
    directories: Option<String>,
    from_file: OnceLock<LoadedRoots>,
    all: OnceLock<LoadedRoots>,
}

impl SystemRoots {
    /// The authorities that this environment names. Does no I/O.
    pub(crate) fn new(env: &Env) -> SystemRoots {
        let variable = |name| env.get(name).map(str::to_owned);
        let (from_file, all) = Default::default();
        SystemRoots { file: variable("SSL_CERT_FILE"), directories: variable("SSL_CERT_DIR"), from_file, all }
    }

    /// The certificates of the file alone. Distributions put the certificates of the directories into it too. Reading
    /// a directory takes longer than the rest of a command's start.
    pub(crate) fn file_certificates(&self) -> &[CertificateDer<'static>] {
        &self.from_file.get_or_init(|| os_roots::read_file(self.file.as_deref())).0
    }

    /// All certificates, and a message about what could not be read.
    pub(crate) fn all(&self) -> &LoadedRoots {
        self.all.get_or_init(|| {
            let of_file = self.from_file.get_or_init(|| os_roots::read_file(self.file.as_deref()));
            os_roots::add_directories(of_file.clone(), self.directories.as_deref())
        })
    }

    #[cfg(test)]
    pub(crate) fn has_read_directories(&self) -> bool {
        self.all.get().is_some()
    }
}

#[cfg(any(windows, target_os = "macos"))]
mod os_roots {
    use super::LoadedRoots;

    /// On these systems Go uses the certificates of the system and ignores the variables.
    pub(crate) fn read_file(_: Option<&str>) -> LoadedRoots {
        let found = rustls_native_certs::load_native_certs();
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        (found.certs, errors.join("; "))
    }

    pub(crate) fn add_directories(all: LoadedRoots, _: Option<&str>) -> LoadedRoots {
        all
    }
}

#[cfg(not(any(windows, target_os = "macos")))]
mod os_roots {
    use std::fs::{self, File};
    use std::io::{self, ErrorKind, Read};
    use std::path::Path;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::LoadedRoots;
    use crate::io_message::io_message;

    /// The first file that can be read counts.
    const FILES: [&str; 6] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    const DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
    /// The largest file that is read, in bytes.
    const FILE_BYTES_MAX: u64 = 64 << 20;

    /// The certificates of the first file that can be read.
    pub(crate) fn read_file(file: Option<&str>) -> LoadedRoots {
        let mut errors = Vec::new();
        for file in file.map_or(FILES.to_vec(), |file| vec![file]).into_iter().map(Path::new) {
            match read(file) {
                Ok(bytes) => return (certificates(&bytes), errors.join("; ")),
                Err(error) => errors.extend(read_error(file, &error)),
            }
        }
        (Vec::new(), errors.join("; "))
    }

    /// Adds the certificates of the directories to those of the file.
    pub(crate) fn add_directories((mut found, file_errors): LoadedRoots, directories: Option<&str>) -> LoadedRoots {
        let mut errors = Vec::from_iter(Some(file_errors).filter(|text| !text.is_empty()));
        let directories = directories.map_or(DIRECTORIES.to_vec(), |directories| directories.split(':').collect());
        for directory in directories.into_iter().map(Path::new) {
            match fs::read_dir(directory) {
                // Files that cannot be read are ignored. Opening a FIFO would block.
                Ok(entries) => {
                    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).for_each(|path| {
                        found.extend(read(&path).iter().flat_map(|bytes| certificates(bytes)));
                    })
                }
                Err(error) => errors.extend(read_error(directory, &error)),
            }
        }
        // Most files of a directory are links to certificates of the file too.
        found.sort_unstable_by(|one: &CertificateDer<'_>, other| one.as_ref().cmp(other.as_ref()));
        found.dedup();
        (found, errors.join("; "))
    }

    fn read_error(path: &Path, error: &io::Error) -> Option<String> {
        let is_error = error.kind() != ErrorKind::NotFound;
        is_error.then(|| format!("{}: {}", path.display(), io_message(error)))
    }

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Content that is not a certificate is ignored.
    fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem).flatten().collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn load(file: Option<&str>, directories: Option<&str>) -> LoadedRoots {
            add_directories(read_file(file), directories)
        }

        fn pem(content: &str) -> String {
            format!("-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n")
        }

        #[test]
        fn ssl_cert_variables_replace_the_file_and_the_directories_separately() {
            let directory = tempfile::tempdir().unwrap();
            let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
            fs::create_dir(path("one")).unwrap();
            fs::create_dir(path("two")).unwrap();
            fs::write(path("file"), format!("a remark\n{}{}", pem("QUFB"), pem("QkJC"))).unwrap();
            fs::write(path("one/x"), pem("Q0ND")).unwrap();
            fs::write(path("one/rubbish"), "rubbish").unwrap();
            fs::write(path("two/y"), pem("QUFB")).unwrap();
            let found = |file: &str, directories: &str| {
                let (found, read_errors) = load(Some(file), Some(directories));
                assert_eq!(read_errors, "", "{file} {directories}");
                found.iter().map(|der| String::from_utf8(der.to_vec()).unwrap()).collect::<Vec<_>>().join(" ")
            };
            let (both, none) = (format!("{}:{}", path("one"), path("two")), path("none"));
            assert_eq!(found(&path("file"), &none), "AAA BBB");
            assert_eq!(found(&none, &both), "AAA CCC");
            assert_eq!(found(&path("file"), &both), "AAA BBB CCC");
            assert_eq!(found(&none, &none), "");
            let read_errors = load(Some(&none), Some(&path("file"))).1;
            assert!(read_errors.starts_with(&format!("{}: ", path("file"))), "{read_errors}");
            // One variable leaves the other half to the system's default.
            let of_directories = load(Some(&none), None).0;
            let with_file = load(Some(&path("file")), None).0;
            assert_eq!(with_file.len(), of_directories.len() + 2);
            assert!(of_directories.iter().all(|certificate| with_file.contains(certificate)));
        }
    }
}
