//! The stores of drafts through the one trait that they have in common: docker's directory and a registry.

use docker_manifest::drafts::DraftStore;
use docker_manifest::drafts::docker_dir::DockerManifestStore;
use docker_manifest::drafts::registry::{PipelineRun, SharedDraftStore};
use docker_manifest::model::manifest::ImageFormat;
use docker_manifest::model::{Draft, Entry};
use docker_manifest::platform::Platform;
use testkit::image::Image;
use testkit::loopback::Registry;

use super::client_fixture::{Fixture, reference, repository};

const REPOSITORY: &str = "app";

#[test]
fn docker_directory_adds_and_removes_entries() {
    let directory = tempfile::tempdir().unwrap();
    let store = DockerManifestStore::new(directory.path());
    // Docker's drafts are made by `create`; entries are added to those that exist.
    let create = |draft: &Draft| store.replace(draft, &|_| ()).unwrap();
    assert_store_adds_and_removes_entries(&Registry::start(), &store, create);
}

#[test]
fn registry_adds_and_removes_entries() {
    let (registry, client) = (Registry::start(), Fixture::new());
    let repository = repository(&registry, REPOSITORY);
    for id in [None, Some("run-1".to_owned())] {
        let run = PipelineRun { id, attempt: None };
        let store = SharedDraftStore::new(&client.client, &repository, &run);
        assert_store_adds_and_removes_entries(&registry, &store, |_| ());
    }
}

fn assert_store_adds_and_removes_entries<S: DraftStore>(registry: &Registry, store: &S, create: impl Fn(&Draft)) {
    let list = reference(&format!("{}/{REPOSITORY}:1.0", registry.host()));
    let no_notice = |message: &str| panic!("{message}");
    let platforms = || store.load(&list).unwrap().map(|draft| draft.entries_in_list_order().map(platform).collect());
    let assert_is_empty = || assert_eq!((store.lists().unwrap(), platforms()), (vec![], None));
    assert_is_empty();

    create(&Draft::new(list.clone()));
    for architecture in ["amd64", "arm64"] {
        let entry = published_image(registry, architecture);
        let add = |draft: &mut Draft| -> Result<(), S::Error> {
            draft.insert(entry.clone());
            Ok(())
        };
        assert!(store.add_entries(&list, &no_notice, add).unwrap());
    }
    assert_eq!(store.lists().unwrap(), std::slice::from_ref(&list));
    assert_eq!(platforms(), Some(vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]));

    let choose_amd64 = |draft: &Draft| -> Result<Vec<Entry>, S::Error> {
        Ok(draft.entries_in_key_order().filter(|entry| platform(entry) == "linux/amd64").cloned().collect())
    };
    let removed = store.remove_entries(&list, &no_notice, choose_amd64).unwrap();
    assert_eq!(removed.map(|removed| removed.iter().map(platform).collect()), Some(vec!["linux/amd64".to_owned()]));
    assert_eq!(platforms(), Some(vec!["linux/arm64".to_owned()]));

    assert!(store.remove(&list, &no_notice).unwrap());
    assert!(!store.remove(&list, &no_notice).unwrap(), "there is none any more");
    assert_is_empty();
}

fn published_image(registry: &Registry, architecture: &str) -> Entry {
    let image = Image::docker().platform("linux", architecture).layer(architecture).build();
    let digest = registry.put_image(REPOSITORY, architecture, &image);
    let name = reference(&format!("{}/{REPOSITORY}@{digest}", registry.host()));
    Entry::fetched(name, ImageFormat::Docker, image.manifest, Platform::parse(&format!("linux/{architecture}")).ok())
}

fn platform(entry: &Entry) -> String {
    entry.descriptor.platform.as_ref().map(ToString::to_string).unwrap_or_default()
}
