use serde_json::Value;

use super::*;

const MANIFEST: &str = "{\n  \"a\": \"<x>\",\n  \"config\": {\"digest\": \
    \"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"},\n  \"layers\": []\n}";

fn entry() -> Entry {
    let platform = Platform { os: "linux".into(), architecture: "arm64".into(), ..Platform::default() };
    let reference = Reference::parse("h.x/a:1").unwrap();
    Entry::fetched(reference, ImageFormat::Oci, MANIFEST.as_bytes().to_vec(), Some(platform))
}

#[test]
fn entry_decodes_the_file_that_it_encodes() {
    let file = entry().encode().unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    let start = "{\"Ref\":\"h.x/a:1\",\"Descriptor\":{\"mediaType\":\
                 \"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains(r#""OCIManifest":{"a":"\u003cx\u003e","config""#), "{text}");
    let read = Entry::decode(&file).unwrap();
    assert_eq!(&*read.verified_bytes().unwrap(), MANIFEST.as_bytes());
    assert_eq!(read.encode().unwrap(), file);
    assert_eq!(read.blobs().unwrap()[0].digest, Digest::from_bytes(b"{}"));
}

#[test]
fn entry_without_raw_gives_only_bytes_with_the_right_digest() {
    let compact = json::compact(MANIFEST.as_bytes());
    for indentation in [None, Some("  "), Some("   ")] {
        let bytes = indentation.map_or(compact.clone(), |unit| json::indent(&compact, unit));
        let digest = Digest::from_bytes(&bytes);
        let file = entry().encode().unwrap();
        let mut value: Value = serde_json::from_slice(&file).unwrap();
        value.as_object_mut().unwrap().remove("Raw");
        value["Descriptor"]["digest"] = digest.as_str().into();
        let read = Entry::decode(&serde_json::to_vec(&value).unwrap()).unwrap();
        assert!(!read.has_raw());
        // `Value` has the manifest without escapes, so it is escaped again as docker stores it.
        let stored = Entry::decode(&json::compact(&serde_json::to_vec(&value).unwrap())).unwrap();
        assert_eq!(&*stored.verified_bytes().unwrap(), bytes);
        assert!(matches!(read.verified_bytes(), Err(DocumentError::DigestMismatch { .. })));
    }
}

#[test]
fn old_entry_gets_its_descriptor_from_its_top_level_members() {
    let manifest = r#"{"layers":[]}"#;
    let old_entry = |digest: &str| {
        let platform = r#"{"os":"linux","architecture":"arm","features":["sse"]}"#;
        format!(r#"{{"Ref":"h.x/a:1","Digest":"{digest}","SchemaV2Manifest":{manifest},"Platform":{platform}}}"#)
    };
    let read = Entry::decode(old_entry(Digest::from_bytes(manifest.as_bytes()).as_str()).as_bytes()).unwrap();
    assert_eq!(read.descriptor.size, 13);
    assert_eq!(read.descriptor.platform.as_ref().unwrap().architecture, "arm");
    assert!(!String::from_utf8(read.encode().unwrap()).unwrap().contains("features"));
    let decoded = Entry::decode(old_entry(Digest::from_bytes(b"other").as_str()).as_bytes());
    assert!(matches!(decoded, Err(DocumentError::OldEntryMismatch { .. })));
}

#[test]
fn child_of_list_keeps_the_descriptor_of_the_list() {
    let platform = Platform { os: "linux".into(), features: vec!["sse4".into()], ..Platform::default() };
    let mut descriptor = Descriptor::for_content(ImageFormat::Oci.media_type(), MANIFEST.as_bytes());
    descriptor.platform = Some(platform);
    descriptor.annotations.insert(REFERENCE_TYPE.into(), ATTESTATION.into());
    descriptor.annotations.insert(REFERENCE_DIGEST.into(), Digest::from_bytes(b"x").to_string());
    let source = Reference::parse("h.x/l:1").unwrap().with_digest(&Digest::from_bytes(b"l"));
    let reference = source.repository().at_digest(&descriptor.digest);
    let bytes = MANIFEST.as_bytes().to_vec();
    let child =
        Entry::child_of_list(reference.clone(), ImageFormat::Oci, bytes, descriptor.clone(), source.clone()).unwrap();
    assert_eq!(child.attested_digest(), Some(Digest::from_bytes(b"x")));
    let file = child.encode().unwrap();
    let text = String::from_utf8(file.clone()).unwrap();
    assert!(text.ends_with(&format!(r#","Source":"{source}"}}"#)), "{text}");
    let read = Entry::decode(&file).unwrap();
    assert_eq!((&read.descriptor, &read.source), (&descriptor, &Some(source.clone())));
    assert_eq!(read.encode().unwrap(), file);
    assert!(Entry::child_of_list(reference, ImageFormat::Oci, b"{}".to_vec(), descriptor, source).is_err());
}

#[test]
fn decode_reports_why_a_file_is_no_entry() {
    for (file, error) in [
        ("", "not valid JSON: EOF while parsing a value at line 1 column 0"),
        ("{}", "Ref is missing"),
        (r#"{"Ref":"h.x/a:1"}"#, "Descriptor is missing"),
        (r#"{"Ref":"alpine"}"#, "repository name must be canonical"),
    ] {
        assert_eq!(Entry::decode(file.as_bytes()).unwrap_err().to_string(), error);
    }
}
