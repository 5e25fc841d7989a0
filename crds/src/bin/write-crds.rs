//! Writes the CRD YAML into the folder that is named, one file for each kind.

use std::{env, fs, io, path::PathBuf};

use longshore_crds::{custom_resource_definitions, manifest_of};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("crds"), PathBuf::from);
    for definition in custom_resource_definitions() {
        let file = folder.join(format!("{}.yaml", definition.spec.names.plural));
        fs::write(file, manifest_of(&definition))?;
    }
    Ok(())
}
