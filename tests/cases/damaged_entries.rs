//! Entries of a draft that hold JSON and no image. Only this program is tested with them.

use testkit::image::Image;
use testkit::loopback::Registry;
use testkit::sandbox::{Sandbox, tree_without_root_dot_names};

use super::OURS;

#[test]
fn a_damaged_entry_is_reported_with_its_file() {
    for text in ["null", "{}", "{\"Ref\":null}", "{\"Descriptor\":{}}"] {
        let (registry, sandbox) = (Registry::start(), Sandbox::new());
        for name in ["amd64", "arm64"] {
            registry.put_image("app", name, &Image::docker().platform("linux", name).layer(name).build());
        }
        let run = |words: &[&str]| sandbox.command(OURS).args(registry.expand_names(words)).run();
        let _ = run(&["create", "@app:1", "@app:amd64", "@app:arm64"]).success();
        let files = tree_without_root_dot_names(&sandbox.store());
        let entry = files.keys().find(|path| path.ends_with("app-arm64")).expect("the entry");
        std::fs::write(sandbox.store().join(entry), text).expect("a damaged entry");
        for words in
            [&["inspect", "@app:1"][..], &["push", "@app:1"], &["annotate", "@app:1", "@app:amd64", "--os", "linux"]]
        {
            let refused = run(words);
            assert_eq!((refused.code, refused.out()), (1, String::new()), "{text} {words:?}");
            assert!(refused.err().contains(entry.as_str()), "{text} {words:?}: {}", refused.err());
        }
        assert_eq!(registry.tags("app").len(), 2, "nothing was pushed");
    }
}
