use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

struct Fixture {
    dir: tempfile::TempDir,
    host: ShimHost,
}

impl Fixture {
    /// A machine with a docker in `usr/bin`, and `front` before it on the PATH.
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["front", "usr/bin", "etc/sudoers.d", "home"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let host = ShimHost {
            path: vec![at("front"), at("usr/bin")],
            home: Some(at("home")),
            is_root: false,
            root_dir: dir.path().to_owned(),
        };
        let fixture = Fixture { dir, host };
        fixture.write_program("usr/bin/docker");
        fixture.write_program("docker-manifest");
        fixture
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_program(&self, name: &str) {
        fs::write(self.at(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn install(&self, dir: &str) -> Result<ShimStatus, ShimError> {
        install(&self.host, &self.at(dir), &self.at("docker-manifest"))
    }

    fn shim_use(&self, name: &str) -> ShimUse {
        let status = status(&self.host, None).unwrap();
        status.callers.into_iter().find(|caller| caller.name == name).unwrap().shim_use
    }
}

#[test]
fn shim_can_be_installed_again_and_removed() {
    let fixture = Fixture::new();
    let file = fixture.at("front/docker");
    for _ in 0..2 {
        let status = fixture.install("front").unwrap();
        assert_eq!((status.shim.as_ref(), status.docker), (Some(&file), Some(fixture.at("usr/bin/docker"))));
        assert_eq!(status.callers[0].shim_use, ShimUse::Used);
        assert_eq!(fs::read_link(&file).unwrap(), fixture.at("docker-manifest"));
    }
    assert_eq!(fs::read_dir(fixture.at("front")).unwrap().count(), 1, "nothing is left beside it");
    assert_eq!(remove(&fixture.host, None).unwrap(), file);
    assert!(matches!(remove(&fixture.host, Some(&fixture.at("front"))), Err(ShimError::Absent(_))));
    assert_eq!(status(&fixture.host, None).unwrap().shim, None);
    // A directory that is not there yet is made.
    assert!(fixture.install("new/bin").unwrap().shim.is_some());
}

#[test]
fn install_refuses_to_replace_another_docker() {
    let fixture = Fixture::new();
    let dirs_before = |result: Result<ShimStatus, ShimError>| match result {
        Err(ShimError::Foreign { writable_dirs, .. }) => writable_dirs,
        other => panic!("{other:?}"),
    };
    assert_eq!(dirs_before(fixture.install("usr/bin")), [fixture.at("front")]);
    assert_eq!(fs::read(fixture.at("usr/bin/docker")).unwrap(), b"#!/bin/sh\n");
    for (name, make) in [
        ("dangling", (|path| symlink("nowhere", path).unwrap()) as fn(&Path)),
        ("directory", |path| fs::create_dir(path).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
    ] {
        fs::create_dir(fixture.at(name)).unwrap();
        make(&fixture.at(name).join("docker"));
        let _ = dirs_before(fixture.install(name));
        assert!(matches!(remove(&fixture.host, Some(&fixture.at(name))), Err(ShimError::Foreign { .. })), "{name}");
        assert!(fixture.at(name).join("docker").symlink_metadata().is_ok(), "{name}");
    }
}

/// Docker's static client is often in the default directory: the shim then goes before it.
#[test]
fn install_dir_precedes_a_docker_in_the_default_directory() {
    let mut fixture = Fixture::new();
    let default = fixture.at("home/.local/bin");
    fs::create_dir_all(&default).unwrap();
    fs::create_dir(fixture.at("near")).unwrap();
    let dirs = ["front", "near", "missing", "home/.local/bin", "usr/bin"];
    fixture.host.path = dirs.iter().map(|dir| fixture.at(dir)).collect();
    assert_eq!(fixture.host.default_or_free_dir().unwrap(), default);
    fixture.write_program("home/.local/bin/docker");
    assert_eq!(fixture.host.default_or_free_dir().unwrap(), fixture.at("near"));
    // With nothing before it, the default stays, and is refused.
    fixture.host.path.drain(..3);
    assert_eq!(fixture.host.default_or_free_dir().unwrap(), default);
}

#[test]
fn callers_find_the_shim_on_their_own_path() {
    let fixture = Fixture::new();
    let _ = fixture.install("front").unwrap();
    assert_eq!(fixture.shim_use("systemd services"), ShimUse::NotOnPath);
    assert_eq!(fixture.shim_use("sudo"), ShimUse::Used, "without a sudoers file it keeps the caller's");
    let paths = |dirs: &[&str]| {
        let dirs: Vec<String> = dirs.iter().map(|dir| fixture.at(dir).display().to_string()).collect();
        dirs.join(":")
    };
    fs::write(fixture.at("etc/sudoers"), format!("Defaults\tsecure_path=\"{}\"\n", paths(&["usr/bin"]))).unwrap();
    assert_eq!(fixture.shim_use("sudo"), ShimUse::NotOnPath);
    let later = format!("# Defaults secure_path=/x\nDefaults secure_path = {}\n", paths(&["usr/bin", "front"]));
    fs::write(fixture.at("etc/sudoers.d/path"), later).unwrap();
    assert_eq!(fixture.shim_use("sudo"), ShimUse::OtherFirst(fixture.at("usr/bin/docker")));
    fs::write(fixture.at("etc/crontab"), format!("SHELL=/bin/sh\nPATH={}\n", paths(&["front", "usr/bin"]))).unwrap();
    assert_eq!(fixture.shim_use("/etc/crontab jobs"), ShimUse::Used);
    fs::remove_file(fixture.at("etc/sudoers")).unwrap();
    fs::create_dir(fixture.at("etc/sudoers")).unwrap();
    assert_eq!(fixture.shim_use("sudo"), ShimUse::Unknown(fixture.at("etc/sudoers")), "it cannot be read");
}

#[test]
fn default_directory_depends_on_the_user() {
    let host = ShimHost { home: Some("/h".into()), ..ShimHost::default() };
    assert_eq!(host.default_dir().unwrap(), Path::new("/h/.local/bin"));
    assert_eq!(ShimHost { is_root: true, ..host }.default_dir().unwrap(), Path::new("/usr/local/bin"));
    assert!(matches!(ShimHost::default().default_dir(), Err(ShimError::NoHome)));
}
