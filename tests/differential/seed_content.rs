//! The manifests that every script can use: images and lists under `app`, `oci`, `win`, `odd`, `index` and `many`,
//! pushed once to each of the two registries.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::client::Client;
use testkit::image::{DOCKER_LIST, DOCKER_MANIFEST, Image, Index, OCI_MANIFEST, sha256};

/// Something that can be pushed as it is.
#[derive(Debug, Clone)]
pub(super) struct Pushable {
    pub(super) media_type: String,
    pub(super) manifest: Vec<u8>,
    /// Config first, layers after.
    pub(super) blobs: Vec<Vec<u8>>,
    /// The children of a list, which must be there first.
    children: Vec<Pushable>,
}

impl Pushable {
    pub(super) fn digest(&self) -> String {
        sha256(&self.manifest)
    }

    pub(super) fn push(&self, client: &Client, repo: &str, reference: &str) {
        for child in &self.children {
            child.push(client, repo, &child.digest());
        }
        for blob in &self.blobs {
            client.push_blob(repo, blob);
        }
        client.push_manifest(repo, reference, &self.media_type, &self.manifest);
    }
}

impl From<Image> for Pushable {
    fn from(image: Image) -> Self {
        let blobs = image.blobs().into_iter().map(<[u8]>::to_vec).collect();
        Self { media_type: image.media_type, manifest: image.manifest, blobs, children: Vec::new() }
    }
}

impl From<Index> for Pushable {
    fn from(index: Index) -> Self {
        let children = index.images.into_iter().map(Pushable::from).collect();
        Self { media_type: index.media_type, manifest: index.manifest, blobs: Vec::new(), children }
    }
}

/// `REPO:TAG` → thing.
pub(super) type SeedContent = BTreeMap<String, Pushable>;

/// All of it.
pub(super) fn seed_content() -> SeedContent {
    let mut all = SeedContent::new();
    put_usual_images(&mut all);
    put_unusual_configs(&mut all);
    put_unusual_manifests(&mut all);
    put_lists(&mut all);
    all
}

fn put(all: &mut SeedContent, name: &str, pushable: impl Into<Pushable>) {
    assert!(all.insert(name.to_owned(), pushable.into()).is_none(), "{name} is there twice");
}

fn docker(os: &str, arch: &str, layer: &str) -> testkit::image::ImageBuilder {
    Image::docker().platform(os, arch).layer(layer)
}

fn oci(os: &str, arch: &str, layer: &str) -> testkit::image::ImageBuilder {
    Image::oci().platform(os, arch).layer(layer)
}

fn put_usual_images(all: &mut SeedContent) {
    let amd64 = docker("linux", "amd64", "amd64").layer("shared").build();
    put(all, "app:amd64", amd64.clone());
    put(all, "app:twin", amd64.clone());
    put(all, "app:arm64", docker("linux", "arm64", "arm64").layer("shared").variant("v8").build());
    put(all, "app:armv7", docker("linux", "arm", "armv7").variant("v7").build());
    put(all, "app:latest", amd64);
    put(all, "deep/er/still/app:s390x", docker("linux", "s390x", "s390x").build());
    put(all, "other:ppc64le", docker("linux", "ppc64le", "ppc64le").layer("shared").build());
    put(all, "oci:amd64", oci("linux", "amd64", "oci amd64").annotation("org.example.note", "a<b>&c").build());
    put(all, "oci:arm64", oci("linux", "arm64", "oci arm64").variant("v8").build());
    put(all, "oci:bare", oci("linux", "riscv64", "bare").without_media_type().build());
    put(all, "oci:compact", oci("linux", "386", "compact").indent(None).build());
    let subject = oci("linux", "amd64", "subject").build();
    put(all, "oci:subject", subject.clone());
    let referrer = oci("linux", "mips64le", "referrer").artifact_type("application/x-thing").subject(&subject);
    put(all, "oci:referrer", referrer.build());
    let windows = docker("windows", "amd64", "win").os_version("10.0.20348.1").os_features(&["win32k", "other"]);
    put(all, "win:plain", windows.clone().build());
    let foreign = windows.foreign_layer("https://mcr.example/v2/layer", "a foreign layer");
    put(all, "win:foreign", foreign.build());
    let foreign = docker("linux", "amd64", "alien").foreign_layer("https://mcr.example/v2/other", "an alien layer");
    put(all, "win:linux-foreign", foreign.build());
    for n in 1..=20 {
        let arch = ["amd64", "arm64", "arm", "s390x", "ppc64le"][n % 5];
        put(all, &format!("many:{n:02}"), docker("linux", arch, &format!("layer {n}")).layer("shared").build());
    }
}

fn put_unusual_configs(all: &mut SeedContent) {
    for (name, config) in [
        ("noarch", json!({"os": "linux"})),
        ("noos", json!({"architecture": "amd64"})),
        ("noplatform", json!({})),
        ("emptyos", json!({"os": "", "architecture": "amd64"})),
        ("uppercase", json!({"OS": "linux", "Architecture": "amd64", "VARIANT": "v3"})),
        ("bothcases", json!({"os": "linux", "OS": "windows", "architecture": "amd64"})),
        ("nullfeatures", json!({"os": "linux", "architecture": "amd64", "os.features": null, "os.version": null})),
        ("emptyfeatures", json!({"os": "linux", "architecture": "amd64", "os.features": [], "variant": ""})),
        ("version", json!({"os": "linux", "architecture": "amd64", "os.version": "6.1", "os.features": ["x", "a,b"]})),
        ("unicode", json!({"os": "linux", "architecture": "amd64", "os.version": "é<&>\u{2028}\u{1F600}\"\\\t"})),
        ("unknownplatform", json!({"os": "unknown", "architecture": "unknown"})),
        ("madeupplatform", json!({"os": "templeos", "architecture": "holyc"})),
        ("numberos", json!({"os": 5, "architecture": "amd64"})),
        ("stringfeatures", json!({"os": "linux", "architecture": "amd64", "os.features": "x"})),
        ("array", json!([1, 2])),
        ("null", Value::Null),
    ] {
        put(all, &format!("odd:{name}"), Image::docker().layer(name).config_raw(config.to_string()).build());
        if matches!(name, "noarch" | "uppercase" | "version" | "unicode" | "null" | "array") {
            put(all, &format!("odd:oci-{name}"), Image::oci().layer(name).config_raw(config.to_string()).build());
        }
    }
    put(all, "odd:notjson", Image::docker().layer("x").config_raw("this is not JSON").build());
    put(all, "odd:surrogate", {
        let config = r#"{"os":"linux","architecture":"amd64","os.version":"\ud800x","variant":"\u003cv\u003e"}"#;
        Image::docker().layer("x").config_raw(config).build()
    });
    put(all, "odd:twokeys", {
        let config = r#"{"os":"linux","os":"freebsd","architecture":"amd64"}"#;
        Image::docker().layer("x").config_raw(config).build()
    });
    let chart =
        |kind| Image::oci().layer_of_type("application/x-chart", "chart").config_raw("{}").config_media_type(kind);
    put(all, "odd:chart", chart("application/vnd.cncf.helm.config.v1+json").build());
    put(all, "odd:dockerplugin", {
        let config = json!({"os": "linux", "architecture": "amd64"}).to_string();
        Image::docker().layer("x").config_raw(config).config_media_type("application/vnd.docker.plugin.v1+json").build()
    });
}

/// The same image, its manifest written by hand: `{{config}}` and `{{layer}}` stand for the two descriptors' insides.
fn handwritten(media_type: &str, text: &str) -> Pushable {
    let config = br#"{"os":"linux","architecture":"amd64"}"#.to_vec();
    let layer = b"by hand".to_vec();
    let inside = |bytes: &[u8]| format!(r#""size": {}, "digest": "{}""#, bytes.len(), sha256(bytes));
    let text = text.replace("{{config}}", &inside(&config)).replace("{{layer}}", &inside(&layer));
    Pushable {
        media_type: media_type.into(),
        manifest: text.into_bytes(),
        blobs: vec![config, layer],
        children: vec![],
    }
}

fn put_unusual_manifests(all: &mut SeedContent) {
    const MEDIA_TYPE: &str = r#""mediaType": "application/vnd.docker.distribution.manifest.v2+json""#;
    const CONFIG: &str = r#"{"mediaType": "application/vnd.docker.container.image.v1+json", {{config}}}"#;
    const LAYER: &str = r#"{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", {{layer}}}"#;
    let mut docker = |name: &str, text: String| put(all, &format!("hand:{name}"), handwritten(DOCKER_MANIFEST, &text));
    docker(
        "tabs",
        format!("\t{{\r\n\t\"schemaVersion\":\t2,\n{MEDIA_TYPE},\"config\":{CONFIG} , \"layers\":[{LAYER} ]}}\n\n"),
    );
    docker("order", format!(r#"{{"layers":[{LAYER}],"config":{CONFIG},{MEDIA_TYPE},"schemaVersion":2}}"#));
    docker(
        "unknown",
        format!(
            concat!(
                r#"{{"schemaVersion":2,{HEAD},"x":{{"z":1,"a":[1.50,1e3,-0]}},"config":{CONFIG},"layers":[{LAYER}],"#,
                r#""annotations":{{"b":"2","a":"1"}}}}"#
            ),
            HEAD = MEDIA_TYPE,
            CONFIG = CONFIG,
            LAYER = LAYER
        ),
    );
    docker(
        "escapes",
        format!(
            r#"{{"schemaVersion":2,{MEDIA_TYPE},"note":"{}{}","config":{CONFIG},"layers":[{LAYER}]}}"#,
            r"\u00e9\u003c<>&\u2028",
            concat!("é\u{2028}", r"/\/\ud83d\ude00")
        ),
    );
    docker("nolayers", format!(r#"{{"schemaVersion":2,{MEDIA_TYPE},"config":{CONFIG},"layers":[]}}"#));
    docker("nulllayers", format!(r#"{{"schemaVersion":2,{MEDIA_TYPE},"config":{CONFIG},"layers":null}}"#));
    docker("twice", format!(r#"{{"schemaVersion":2,{MEDIA_TYPE},"config":{CONFIG},"layers":[{LAYER},{LAYER}]}}"#));
    docker("rich", format!(r#"{{"schemaVersion":2,{MEDIA_TYPE},"config":{},"layers":[{}]}}"#, RICH_CONFIG, RICH_LAYER));
    let mut oci = |name: &str, text: String| put(all, &format!("hand:{name}"), handwritten(OCI_MANIFEST, &text));
    let config = concat!(
        r#"{"mediaType":"application/vnd.oci.image.config.v1+json", {{config}},"#,
        r#""annotations":{"k":"<v>"},"data":"e30="}"#
    );
    let layer = r#"{"mediaType":"application/x-anything", {{layer}}, "annotations":{"z":"1","a":"2"}}"#;
    oci(
        "ocirich",
        format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}],"annotations":{{"b":"é","a":"&"}},{}}}"#,
            r#""extra":[true]"#
        ),
    );
    oci(
        "ocitabs",
        format!(
            "{{\n\t\"schemaVersion\": 2,\n\t\"mediaType\": \"{OCI_MANIFEST}\",\n\t\"config\": \
             {config},\n\t\"layers\": [ ]\n}}"
        ),
    );
}

const RICH_CONFIG: &str = concat!(
    r#"{"mediaType": "application/vnd.docker.container.image.v1+json", {{config}}, "#,
    r#""platform":{"os":"linux","architecture":"amd64"}}"#
);
const RICH_LAYER: &str = concat!(
    r#"{"annotations":{"b":"2","a":"<1>"},"urls":[],"#,
    r#""mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip", {{layer}}}"#
);

fn put_lists(all: &mut SeedContent) {
    let amd64 = docker("linux", "amd64", "amd64").layer("shared").build();
    let arm64 = docker("linux", "arm64", "arm64").layer("shared").variant("v8").build();
    let windows = docker("windows", "amd64", "win").os_version("10.0.20348.1").os_features(&["win32k"]).build();
    put(all, "index:docker", Index::docker().image(&amd64).image(&arm64).image(&windows).build());
    put(all, "index:compact", Index::docker().image(&arm64).image(&amd64).indent(None).build());
    let (oci_amd64, oci_arm64) =
        (oci("linux", "amd64", "oci amd64").build(), oci("linux", "arm64", "oci arm64").build());
    let platform = json!({"os": "linux", "architecture": "arm64", "variant": "v8", "extra": 1});
    let rich = Index::oci().image(&oci_amd64).image_with(&oci_arm64, platform, &[("org.example.child", "<1>")]);
    put(all, "index:oci", rich.annotation("org.example.list", "&").build());
    put(all, "index:bare", Index::oci().image(&oci_amd64).without_media_type().build());
    put(all, "index:attested", Index::oci().image(&oci_amd64).attestation_of(&oci_amd64).build());
    put(all, "index:mixed", Index::oci().image(&amd64).image(&oci_amd64).build());
    put(all, "index:noplatform", Index::oci().image_with(&oci_amd64, Value::Null, &[]).build());
    put(all, "index:empty", Index::docker().build());
    let inner = Index::docker().image(&amd64).build();
    let mut nested = Pushable::from(Index::docker().image(&arm64).build());
    let text = String::from_utf8_lossy(&nested.manifest).replace(DOCKER_MANIFEST, DOCKER_LIST);
    let arm = arm64.digest();
    let text = text.replace(&arm, &inner.digest());
    let size = format!("\"size\": {}", arm64.manifest.len());
    nested.manifest = text.replace(&size, &format!("\"size\": {}", inner.manifest.len())).into_bytes();
    nested.children = vec![inner.into()];
    put(all, "index:nested", nested);
}
