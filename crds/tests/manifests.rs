//! The committed YAML is what the types say: whoever changes a type writes it anew.

use std::path::Path;
use std::{fs, io};

use longshore_crds::{custom_resource_definitions, manifest_of};

#[test]
fn the_committed_manifests_are_those_of_the_types() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for definition in custom_resource_definitions() {
        let file = format!("{}.yaml", definition.spec.names.plural);
        let committed = fs::read_to_string(folder.join(&file))?;
        assert!(
            committed == manifest_of(&definition),
            "crds/{file} is not what the types say: run `cargo run -p longshore-crds --bin write-crds -- crds`"
        );
    }
    Ok(())
}

#[test]
fn every_manifest_is_in_the_kustomization_and_in_the_chart() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kustomization = fs::read_to_string(folder.join("kustomization.yaml"))?;
    for definition in custom_resource_definitions() {
        let file = format!("{}.yaml", definition.spec.names.plural);
        assert!(kustomization.contains(&format!("- {file}")), "crds/kustomization.yaml does not name {file}");
        let charted = fs::read_to_string(folder.join("../charts/longshore/crds").join(&file))?;
        assert!(charted == fs::read_to_string(folder.join(&file))?, "the chart has another {file}");
    }
    Ok(())
}
