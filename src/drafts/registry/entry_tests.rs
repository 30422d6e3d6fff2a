use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::platform::Platform;

fn image(platform: &str) -> Descriptor {
    let platform = Some(Platform::parse(platform).unwrap());
    Descriptor { platform, ..Descriptor::new(media_type::OCI_MANIFEST, Digest::from_bytes(b"child"), 1234) }
}

fn attestation() -> Descriptor {
    let annotations = [
        ("vnd.docker.reference.type", "attestation-manifest".to_owned()),
        ("vnd.docker.reference.digest", Digest::from_bytes(b"child").to_string()),
    ];
    Descriptor {
        platform: Some(Platform { os: "unknown".into(), architecture: "unknown".into(), ..Platform::default() }),
        annotations: annotations.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Descriptor::new(media_type::OCI_MANIFEST, Digest::from_bytes(b"attestation"), 566)
    }
}

fn entry() -> SharedEntry {
    let image = image("linux/arm64");
    let key = SharedEntryKey::from_platform(image.platform.as_ref().unwrap()).unwrap();
    let run = Some("github:601234567:16412345678".to_owned());
    let name = EntryName { list_tag: "1.2.3".into(), run, key };
    SharedEntry { name, attempt: Some(2), image, attestations: vec![attestation()], is_annotated: true }
}

fn decode(bytes: &[u8]) -> Result<SharedEntry, EntryError> {
    let name = entry().name;
    SharedEntry::decode(media_type::OCI_INDEX, bytes, &name.tag(), ExpectedEntryName::Name(&name))
}

/// The bytes of the format, which no change of the program may change.
#[test]
fn shared_entry_encodes_the_bytes_of_the_format() {
    let (child, attestation) = (Digest::from_bytes(b"child"), Digest::from_bytes(b"attestation"));
    let expected = [
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#.to_owned(),
        r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1234,"#.to_owned(),
        format!(r#""digest":"{child}","platform":{{"architecture":"arm64","os":"linux"}}}},"#),
        r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":566,"#.to_owned(),
        format!(r#""digest":"{attestation}","annotations":{{"vnd.docker.reference.digest":"{child}","#),
        r#""vnd.docker.reference.type":"attestation-manifest"},"#.to_owned(),
        r#""platform":{"architecture":"unknown","os":"unknown"}}],"#.to_owned(),
        r#""annotations":{"org.docker-manifest.draft":"1","org.docker-manifest.draft.attempt":"2","#.to_owned(),
        r#""org.docker-manifest.draft.key":"linux/arm64","org.docker-manifest.draft.list":"1.2.3","#.to_owned(),
        r#""org.docker-manifest.draft.run":"github:601234567:16412345678"}}"#.to_owned(),
    ];
    let bytes = entry().encode().unwrap();
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected.concat());
    assert!(bytes.len() < 1000, "{}", bytes.len());
    assert_eq!(decode(&bytes).unwrap(), entry());
}

#[test]
fn docker_list_entry_is_identified_by_its_tag() {
    let docker = Descriptor { media_type: media_type::DOCKER_MANIFEST.into(), ..image("linux/arm64") };
    let plain = SharedEntry { attempt: None, image: docker, attestations: vec![], is_annotated: false, ..entry() };
    let bytes = plain.encode_for_docker().unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("annotations"));
    let tag = plain.name.tag();
    let decode_docker_list = |expected| SharedEntry::decode(media_type::DOCKER_LIST, &bytes, &tag, expected);
    assert_eq!(decode_docker_list(ExpectedEntryName::Name(&plain.name)).unwrap(), plain);
    assert_eq!(decode_docker_list(ExpectedEntryName::ListAndRun("1.2.3", plain.name.run.as_deref())).unwrap(), plain);
    assert_eq!(decode_docker_list(ExpectedEntryName::ListAndRun("1.2.3", None)), Err(EntryError::NameMismatch));
    assert_eq!(decode_docker_list(ExpectedEntryName::Any), Err(EntryError::NotAnnotated));
    // A Docker manifest list cannot hold all members of this entry, and none is dropped.
    assert_eq!(entry().encode_for_docker().unwrap(), None);
}

/// Content that an attacker, or a mistake, can put under the tag of an entry.
#[test]
fn read_refuses_documents_that_are_not_the_entry() {
    let text = String::from_utf8(entry().encode().unwrap()).unwrap();
    let child = Digest::from_bytes(b"child").to_string();
    let second = format!(r#"{{"mediaType":"{}","size":1,"digest":"{child}"}},"#, media_type::OCI_MANIFEST);
    let changes: [(&str, &str, &str); 14] = [
        ("draft\":\"1\"", "draft\":\"2\"", "format is"),
        ("\"org.docker-manifest.draft\":\"1\",", "", "somebody else"),
        ("linux/arm64", "linux/amd64", "another list, run or platform"),
        ("draft.list\":\"1.2.3\"", "draft.list\":\"1.2.4\"", "another list, run or platform"),
        ("github:601234567", "github:601234568", "another list, run or platform"),
        ("\"architecture\":\"arm64\"", "\"architecture\":\"s390x\"", "image is for linux/s390x"),
        ("\"manifests\":[", &format!("\"manifests\":[{second}"), "exactly one image"),
        ("\"size\":1234", "\"urls\":[\"https://x.example/\"],\"size\":1234", "urls"),
        ("\"size\":1234", "\"data\":\"YWJj\",\"size\":1234", "embedded data"),
        ("\"size\":1234", "\"annotations\":{\"org.docker-manifest.x\":\"1\"},\"size\":1234", "reserved annotation"),
        ("image.manifest.v1+json\",\"size\":1234", "image.index.v1+json\",\"size\":1234", "no image manifest"),
        ("\"schemaVersion\":2", "\"schemaVersion\":2,\"artifactType\":\"a/b\"", "an artifact type"),
        ("draft.attempt\":\"2\"", "draft.attempt\":\"x\"", "attempt is no number"),
        ("\"schemaVersion\":2", "\"schemaVersion\":[[", "not valid JSON"),
    ];
    for (old, new, reason) in changes {
        let changed = text.replacen(old, new, 1);
        assert_ne!(changed, text, "{old}");
        let error = decode(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{new}: {error}");
    }
    let subject = format!(r#""subject":{{"mediaType":"a","size":1,"digest":"{child}"}},"annotations":{{"org"#);
    let error = decode(text.replacen("\"annotations\":{\"org", &subject, 1).as_bytes()).unwrap_err();
    assert_eq!(error, EntryError::ForbiddenMember("a subject"));
    let other = text.replacen(
        &format!("reference.digest\":\"{child}"),
        &format!("reference.digest\":\"{}", Digest::from_bytes(b"")),
        1,
    );
    assert!(matches!(decode(other.as_bytes()), Err(EntryError::InvalidContents(_))));
    let padded = text.replacen("{\"schemaVersion\"", &format!("{{{}\"schemaVersion\"", " ".repeat(ENTRY_BYTES_MAX)), 1);
    assert_eq!(decode(padded.as_bytes()), Err(EntryError::TooLarge(padded.len())));
    let name = entry().name;
    let served = SharedEntry::decode("text/html", text.as_bytes(), &name.tag(), ExpectedEntryName::Name(&name));
    assert_eq!(served, Err(EntryError::NotAnIndex("text/html".into())));
}

#[test]
fn named_key_fits_every_image_and_platform_key_only_its_own() {
    let named = EntryName { key: SharedEntryKey::from_name("fips").unwrap(), ..entry().name };
    let entry = SharedEntry { name: named.clone(), ..entry() };
    let bytes = entry.encode().unwrap();
    let found = SharedEntry::decode(media_type::OCI_INDEX, &bytes, &named.tag(), ExpectedEntryName::Any).unwrap();
    assert_eq!(found, entry);
    let mismatched = SharedEntry { image: image("linux/s390x"), ..super::tests::entry() };
    assert!(matches!(mismatched.encode(), Err(EntryError::PlatformMismatch { .. })));
}

proptest! {
    /// Equal entries have equal bytes, and reading them gives the same entry.
    #[test]
    fn entries_are_read_as_they_were_written(
        list in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}",
        run in prop::option::of("[ -~é]{1,40}"),
        attempt in prop::option::of(any::<u64>()),
        note in "\\PC{0,20}",
        os in prop::sample::select(vec!["linux/arm64", "linux/arm/v6", "windows/amd64:10.0.20348.1", "linux/amd64/v2"]),
    ) {
        let mut image = image(os);
        image.annotations.insert("note".into(), note);
        let key = SharedEntryKey::from_platform(image.platform.as_ref().unwrap()).unwrap();
        let name = EntryName { list_tag: list.clone(), run: run.clone(), key };
        let attestations = vec![attestation()];
        let entry = SharedEntry { name: name.clone(), attempt, image, attestations, is_annotated: true };
        let bytes = entry.encode().unwrap();
        prop_assert_eq!(&bytes, &entry.clone().encode().unwrap());
        prop_assert!(!bytes.contains(&b'\n'));
        let in_run = ExpectedEntryName::ListAndRun(&list, run.as_deref());
        for expected in [ExpectedEntryName::Name(&name), in_run, ExpectedEntryName::Any] {
            let found = SharedEntry::decode(media_type::OCI_INDEX, &bytes, &name.tag(), expected);
            prop_assert_eq!(found.as_ref(), Ok(&entry));
        }
    }

    /// Reading any content gives an entry that can be encoded again, or an error.
    #[test]
    fn damaged_entry_is_read_as_a_valid_one_or_refused(
        cut in 0usize..900,
        flips in prop::collection::vec((0usize..900, any::<u8>()), 0..4),
    ) {
        let mut bytes = entry().encode().unwrap();
        bytes.truncate(bytes.len() - cut % bytes.len());
        for (position, byte) in flips {
            let position = position % bytes.len();
            bytes[position] = byte;
        }
        let name = entry().name;
        if let Ok(found) = SharedEntry::decode(media_type::OCI_INDEX, &bytes, &name.tag(), ExpectedEntryName::Any) {
            prop_assert!(found.encode().is_ok());
        }
    }
}
