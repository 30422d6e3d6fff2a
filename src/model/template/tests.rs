use serde_json::json;

use super::*;

const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn descriptor(architecture: &str) -> serde_json::Value {
    json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2, "digest": DIGEST,
        "platform": { "os": "linux", "architecture": architecture },
        "annotations": { "z": "1", "a": "<2>" },
    })
}

fn list(architectures: &[&str]) -> TemplateData {
    let descriptors: Vec<_> = architectures.iter().map(|architecture| descriptor(architecture)).collect();
    let bytes =
        json!({ "manifests": descriptors, "mediaType": "m", "schemaVersion": 2, "own": 1 }).to_string().into_bytes();
    let list_descriptor = Descriptor::for_content("m", &bytes);
    let image = |architecture: &&str| {
        let config = json!({ "User": "me", "Env": ["A=1", "B=2"], "Labels": { "k": "v" } });
        let image = json!({ "architecture": architecture, "os": "linux", "config": config, "history": [{}] });
        (format!("linux/{architecture}"), image)
    };
    TemplateData {
        platforms: architectures.len(),
        images: architectures.iter().map(image).collect(),
        provenance: [("linux/amd64".to_owned(), json!({ "b": 1, "a": 1e21, "c": 1.5 }))].into(),
        sbom: [("linux/amd64".to_owned(), vec![json!({ "SPDXID": "x" }), json!({ "SPDXID": "y" })])].into(),
        ..TemplateData::new("app:1", TemplateManifest::List(bytes, list_descriptor))
    }
}

fn run(text: &str, data: &TemplateData) -> Result<String, String> {
    let template = Template::parse(text).map_err(|error| format!("when read: {error}"))?;
    template.execute(data).map_err(|error| error.to_string())
}

#[test]
fn execute_prints_the_members_that_scripts_use() {
    let two_platforms = &list(&["amd64", "arm64"]);
    for (text, expected) in [
        ("{{.Name}}", "app:1"),
        ("{{ .Manifest.MediaType }}", "m"),
        ("{{len .Manifest.Manifests}}", "2"),
        (
            "{{range .Manifest.Manifests}}{{.Platform.OS}}/{{.Platform.Architecture}}{{println}}{{end}}",
            "linux/amd64\nlinux/arm64\n",
        ),
        ("{{range .Manifest.Manifests}}{{if eq .Platform.Architecture \"arm64\"}}{{.Digest}}{{end}}{{end}}", DIGEST),
        ("{{(index .Manifest.Manifests 1).Platform.Architecture}}", "arm64"),
        ("{{with index .Manifest.Manifests 0}}{{index .Annotations \"z\"}}{{end}}", "1"),
        ("{{(index .Image \"linux/arm64\").Config.User}}", "me"),
        (
            "{{range $p, $i := .Image}}{{$p}}={{join $i.Config.Env \",\"}};{{end}}",
            "linux/amd64=A=1,B=2;linux/arm64=A=1,B=2;",
        ),
        ("{{with (index .Image \"linux/amd64\").Config}}{{.Labels.k}}{{.Labels.x}}{{end}}", "v<no value>"),
        ("{{if .SBOM}}yes{{else}}no{{end}} {{ (index .SBOM \"linux/amd64\").SPDX.SPDXID }}", "yes x"),
        ("{{(index .Provenance \"linux/amd64\").SLSA.b}}", "1"),
        ("{{printf \"%s@%s\" .Name .Manifest.Digest | len}}", "77"),
        ("{{- /* a comment */ -}} {{ upper \"x\" }}{{ .Name | printf \"%-7s|\" }}", "Xapp:1  |"),
        (
            "{{$x := .Manifest}}{{$x.Size}}{{if and .Name (not false)}}{{break_ok}}{{end}}",
            "when read: template: 1:61: there is no function \"break_ok\"",
        ),
        ("{{if gt (len .Manifest.Manifests) 1}}many{{end}}{{range .Manifest.Manifests}}{{break}}{{end}}", "many"),
    ] {
        assert_eq!(
            run(text, two_platforms).unwrap_or_else(|error| error),
            expected.replace("77", &(6 + digest_length(two_platforms)).to_string()),
            "{text}"
        );
    }
    let one_platform = &list(&["amd64"]);
    assert_eq!(
        run("{{.Image.OS}} {{.Image.Architecture}} {{.Image.Config.User}}", one_platform).unwrap(),
        "linux amd64 me"
    );
    assert_eq!(
        run("{{.SBOM.SPDX.SPDXID}}{{range .SBOM.AdditionalSPDXs}}{{.SPDXID}}{{end}}", one_platform).unwrap(),
        "xy"
    );
}

fn digest_length(data: &TemplateData) -> usize {
    let TemplateManifest::List(_, list_descriptor) = &data.manifest else { return 0 };
    list_descriptor.digest.as_str().len()
}

/// The JSON has the order and the names of Go's members, two spaces a level, and no unknown members.
#[test]
fn json_function_prints_what_buildx_prints() {
    let data = list(&["amd64"]);
    let TemplateManifest::List(_, list_descriptor) = &data.manifest else { panic!("no list") };
    let expected = format!(
        r#"{{
  "schemaVersion": 2,
  "mediaType": "m",
  "digest": "{}",
  "size": {},
  "manifests": [
    {{
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "{DIGEST}",
      "size": 2,
      "annotations": {{
        "a": "\u003c2\u003e",
        "z": "1"
      }},
      "platform": {{
        "architecture": "amd64",
        "os": "linux"
      }}
    }}
  ]
}}"#,
        list_descriptor.digest, list_descriptor.size
    );
    assert_eq!(run("{{json .Manifest}}", &data).unwrap(), expected);
    let without_spaces = |text: &str| run(text, &data).unwrap().split_whitespace().collect::<String>();
    assert_eq!(without_spaces("{{json .Provenance}}"), r#"{"SLSA":{"a":1e+21,"b":1,"c":1.5}}"#);
    assert_eq!(without_spaces("{{json .SBOM}}"), r#"{"SPDX":{"SPDXID":"x"},"AdditionalSPDXs":[{"SPDXID":"y"}]}"#);
    let image = concat!(
        r#"{"architecture":"amd64","os":"linux","config":{"User":"me","Env":["A=1","B=2"],"Labels":{"k":"v"}},"#,
        r#""rootfs":{"type":"","diff_ids":[]},"history":[{}]}"#
    );
    assert_eq!(without_spaces("{{json .Image}}"), image);
    assert_eq!(
        without_spaces("{{json .}}"),
        format!(r#"{{"name":"app:1","manifest":{},"image":{image}}}"#, without_spaces("{{json .Manifest}}"))
    );
    assert_eq!(
        without_spaces("{{json .Name}}{{json 1}}{{json nil}}{{json .Manifest.Manifests}}").split("null").next(),
        Some("\"app:1\"1")
    );
}

#[test]
fn needs_contains_only_what_a_template_uses() {
    let needs = |text: &str| {
        let TemplateNeeds { image, provenance, sbom, .. } = Template::parse(text).unwrap().needs();
        (image, provenance, sbom)
    };
    assert_eq!(needs("{{json .Manifest}}{{.Name}}"), (false, false, false));
    assert_eq!(needs("{{range .Manifest.Manifests}}{{json .}}{{end}}"), (false, false, false));
    assert_eq!(needs("{{with $x := .}}{{$x.Name}}{{end}}"), (false, false, false));
    assert_eq!(needs("{{json .}}"), (true, false, false));
    assert_eq!(needs("{{$x := .}}{{print $x}}"), (true, false, false));
    assert_eq!(needs("{{with .Manifest}}{{json $.Image}}{{end}}"), (true, false, false));
    assert_eq!(needs("{{json .SBOM}}{{$.Provenance.SLSA}}"), (false, true, true));
    assert!(Template::parse("{{ .Manifest }}").unwrap().is_bare_manifest());
    assert!(!Template::parse("{{ .Manifest.Digest }}").unwrap().is_bare_manifest());
}

#[test]
fn template_errors_have_a_position() {
    let data = list(&["amd64", "arm64"]);
    for (text, expected) in [
        ("{{.Name", "when read: template: 1:"),
        ("{{end}}", "when read: template: 1:1: after this stands an end or else"),
        ("x{{.Name}}{{end}}y", "when read: template: 1:4: after this stands an end or else"),
        ("x\n {{.Nme}}", "when read: template: 2:4: there is no member \"Nme\" of image, which has Name, Manifest"),
        ("{{lenn .Name}}", "when read: template: 1:3: there is no function \"lenn\", did you mean 'len'?"),
        ("{{.Manifest.Digset}}", "template: 1:3: there is no member \"Digset\" of Index, which has SchemaVersion"),
        ("{{range .Manifest.Manifests}}{{.Os}}{{end}}", "template: 1:32: there is no member \"Os\" of Descriptor"),
        ("{{.Manifest.Manifests.Digest}}", "template: 1:3: a list has no member \"Digest\": use range or index"),
        ("{{.Image.OS.x}}", "template: 1:3: there is no member"),
        ("{{define \"x\"}}{{end}}", "when read: template: 1:3: define, block and template are not supported"),
        ("{{template \"format\" .}}", "when read: template: 1:"),
        ("{{index .Manifest.Manifests 7}}", "template: "),
        ("{{$y}}", "when read: template: 1:"),
    ] {
        let error = run(text, &data).expect_err(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

/// A short template that would run or grow for ever is refused.
#[test]
fn execute_ends_a_template_that_grows_without_bound() {
    let data = list(&["amd64", "arm64"]);
    let doubled = "{{$x := \"xxxxxxxxxxxxxxxx\"}}{{range 100}}{{$x = print $x $x}}{{end}}";
    assert_eq!(run(doubled, &data).unwrap_err(), "template: it makes more than 256 MiB of text");
    let padded = "{{range 100000}}{{$x := printf \"%65535d\" 1}}{{end}}";
    assert_eq!(run(padded, &data).unwrap_err(), "template: it makes more than 256 MiB of text");
    assert_eq!(run("{{range 2000000}}{{end}}", &data).unwrap_err(), "template: it has more than 1000000 iterations");
    let long = "x".repeat(TEMPLATE_BYTES_MAX + 1);
    assert_eq!(run(&long, &data).unwrap_err(), "when read: template: it is longer than 64 KiB");
    assert!(run(&format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000)), &data).is_err());
}

#[test]
fn execute_refuses_a_document_with_a_member_of_another_type() {
    let mut data = list(&["amd64"]);
    data.images.insert("linux/amd64".to_owned(), json!({ "config": { "Env": "x" } }));
    let error = run("{{.Image.OS}}", &data).unwrap_err();
    assert_eq!(error, "template: json: cannot unmarshal string into Go struct field ImageConfig.Env of type array");
}
