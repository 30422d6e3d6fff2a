//! Layouts as other tools write them: containerd's names, docker's old archives, gzip, and the lock of buildx.

use std::fs::{self, File};
use std::io::Write;

use serde_json::{Value, json};
use testkit::image::Image;
use testkit::image::fixtures::buildx_image;

use super::fixture::Fixture;

/// `ctr images export` and `docker save` write the tag and the full name, and several images may have one tag.
#[test]
fn containerds_full_names_select_where_the_tag_does_not() {
    let fixture = Fixture::new();
    let images = [buildx_image("linux/amd64"), buildx_image("linux/arm64")];
    for (tag, image) in ["1", "2"].iter().zip(&images) {
        fixture.registry.put_image("app", tag, image);
        fixture.copy_ok(&format!("@app:{tag} oci:./dir:{tag}"));
    }
    let path = fixture.sandbox.path().join("dir/index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).expect("index.json")).expect("JSON");
    for (place, name) in ["docker.io/library/app:1", "registry.test/other/app:1"].iter().enumerate() {
        index["manifests"][place]["annotations"] =
            json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": "1"});
    }
    fs::write(&path, index.to_string()).expect("index.json");
    for (name, image) in
        [("docker.io/library/app:1", 0), ("app:1", 0), ("registry.test/other/app:1", 1)].map(|(n, i)| (n, &images[i]))
    {
        let target = format!("@from{}", name.len());
        fixture.copy_ok(&format!("oci:./dir:{name} {target}:1"));
        let (_, bytes) = fixture.registry.manifest(&target[1..], "1").expect("the image");
        assert_eq!(bytes, image.manifest, "{name}");
    }
    let refused = fixture.copy("oci:./dir:1 @none:1");
    let names = "./dir has 2 images named 1 (it has docker.io/library/app:1, registry.test/other/app:1)";
    assert_eq!((refused.code, refused.first_err_line().as_str()), (1, names));
}

#[test]
fn an_archive_of_an_old_docker_is_refused_with_a_hint() {
    let fixture = Fixture::new();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["app:1", "app:2"], "Layers": ["l/layer.tar"]}]).to_string();
    for (file, index) in [("old.tar", None), ("by-digest.tar", Some(r#"{"schemaVersion":2,"manifests":null}"#))] {
        let mut tar = tar::Builder::new(File::create(fixture.sandbox.path().join(file)).expect("an archive"));
        let members = [("manifest.json", Some(manifest.as_str())), ("index.json", index)];
        for (name, content) in members.iter().filter_map(|(name, content)| Some((name, (*content)?))) {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_bytes()).expect("a member");
        }
        // Docker and skopeo link a layer that is there twice.
        if index.is_none() {
            let mut link = tar::Header::new_gnu();
            link.set_entry_type(tar::EntryType::Symlink);
            link.set_size(0);
            tar.append_link(&mut link, "l/layer.tar", "../k/layer.tar").expect("a link");
        }
        tar.finish().expect("an archive");
        for scheme in ["docker-archive", "oci-archive"] {
            let refused = fixture.copy(&format!("{scheme}:./{file} @new:1"));
            let stderr = refused.err();
            let reason =
                format!("./{file} has its images in manifest.json alone, as docker save wrote them before Docker 25");
            assert_eq!(refused.code, 1);
            assert!(stderr.contains(&format!("{reason} (it has app:1, app:2)")), "{stderr}");
            assert!(stderr.contains("save it again with Docker 25 or later"), "{stderr}");
        }
    }
}

#[test]
fn the_lock_of_a_layout_is_waited_for_until_the_timeout() {
    let fixture = Fixture::new();
    fixture.registry.put_image("app", "1", &buildx_image("linux/amd64"));
    fixture.copy_ok("@app:1 oci:./dir");
    fs::create_dir(fixture.sandbox.path().join("new")).expect("a directory");
    let lock = File::create(fixture.sandbox.path().join("dir/index.json.lock")).expect("a lock");
    fs2::FileExt::lock_exclusive(&lock).expect("nobody has it");
    let refused = fixture.copy("--timeout 30ms oci:./dir oci:./dir:2");
    assert_eq!(refused.code, 1);
    for expected in [
        "waiting for another process to finish with ./dir/index.json.lock",
        "another process is writing to the layout: ./dir/index.json.lock is locked",
        "wait longer with --timeout",
    ] {
        assert!(refused.err().contains(expected), "{}", refused.err());
    }
    drop(lock);
    fixture.copy_ok("--timeout 30s oci:./dir:1 oci:./dir:2");
}

/// Whatever the order of its members, an archive that is compressed gives every blob.
#[test]
fn a_compressed_archive_has_all_its_blobs() {
    let fixture = Fixture::new();
    let mut state = 1_u64;
    let mut noise = |size: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(&mut next).take(size).collect()
    };
    let layers: Vec<Vec<u8>> = (0..3).map(|_| noise((1 << 20) + 1000)).collect();
    let image = layers.iter().fold(Image::oci().platform("linux", "amd64"), |image, layer| image.layer(layer)).build();
    fixture.registry.put_image("app", "1", &image);
    fixture.copy_ok("@app:1 oci-archive:./a.tar");
    let bytes = fs::read(fixture.sandbox.path().join("a.tar")).expect("an archive");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).expect("memory");
    fs::write(fixture.sandbox.path().join("a.tgz"), gzip.finish().expect("memory")).expect("an archive");
    for target in ["@back:1", "oci:./dir:1", "oci-archive:./b.tar:1"] {
        fixture.copy_ok(&format!("--verify oci-archive:./a.tgz {target}"));
    }
    // A push sends them in the order in which they are in the archive, so that it is expanded once for all.
    fixture.clear_record_and_run_line_ok("create --push --jobs 8 @list:1 oci-archive:./a.tgz:1");
    let sent = fixture.registry.requests().into_iter().filter(|own| own.method == "PUT").map(|own| own.line().clone());
    let sent: Vec<String> = sent.filter_map(|line| Some(line.split_once("digest=")?.1.replace("%3A", ":"))).collect();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let members = archive
        .entries()
        .expect("members")
        .map(|entry| entry.expect("a member").path().expect("a name").display().to_string());
    let members: Vec<String> =
        members.filter_map(|name| Some(format!("sha256:{}", name.strip_prefix("blobs/sha256/")?))).collect();
    let expected: Vec<&String> =
        members.iter().filter(|digest| sent.iter().any(|sent| sent.starts_with(*digest))).collect();
    assert_eq!(expected.len(), layers.len() + 1, "{sent:?}");
    assert!(sent.iter().zip(expected).all(|(sent, expected)| sent.starts_with(expected)), "{sent:?}");
    for layer in &layers {
        assert!(fixture.registry.has_blob("back", &testkit::image::sha256(layer)));
    }
    assert_eq!(fixture.registry.manifest("back", "1").expect("the image").1, image.manifest);
    // A compressed archive that is written to has all that it had.
    fixture.copy_ok("oci:./dir:1 oci-archive:./a.tgz:2");
    fixture.copy_ok("--verify oci-archive:./a.tgz:1 @again:1");
}
