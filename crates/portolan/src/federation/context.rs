//! Another name for the hub's context in the kubeconfig.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use portolan_net::files::write_private;
use portolan_object::yaml;
use portolan_runtime::client::KubeconfigFiles;
use serde_json::{Value, json};

use crate::hub_access::HubAccess;

/// Adds the context to the file that has the hub's, with the same cluster and user. Returns the file, and whether the
/// context is new.
pub(super) fn add(access: &HubAccess, new_context: &str) -> Result<(PathBuf, bool)> {
    let files = KubeconfigFiles::find(access.kubeconfig.as_deref());
    let paths = files.paths();
    let mut read = Vec::new();
    for path in paths.iter().filter(|path| path.exists()) {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let documents = yaml::parse_documents(&text)
            .with_context(|| format!("{} is not a kubeconfig", path.display()))?;
        read.push((path.clone(), documents.into_iter().next().unwrap_or_default()));
    }
    let current = read.iter().find_map(|(_, config)| config["current-context"].as_str());
    let current = current.filter(|name| !name.is_empty()).map(str::to_owned);
    let Some(source) = access.context.clone().or(current) else {
        bail!("the kubeconfig has no current context: name one with --context")
    };
    for (path, config) in &mut read {
        if context_of(config, &source).is_none() {
            continue;
        }
        let is_new = copy(config, &source, new_context)?;
        if is_new {
            write_private(path, yaml::to_string(config).as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        return Ok((path.clone(), is_new));
    }
    bail!("no file of {files} has the context {source}")
}

/// Adds the context `name` with the content of `source`; `false` if it is there.
fn copy(config: &mut Value, source: &str, name: &str) -> Result<bool> {
    let content = context_of(config, source).cloned().unwrap_or_default();
    match context_of(config, name) {
        Some(present) if *present == content => return Ok(false),
        Some(_) => bail!("the context {name} exists and is another one: choose a name with --new-context"),
        None => {}
    }
    if let Some(contexts) = config["contexts"].as_array_mut() {
        contexts.push(json!({ "name": name, "context": content }));
    }
    Ok(true)
}

fn context_of<'a>(config: &'a Value, name: &str) -> Option<&'a Value> {
    config["contexts"].as_array()?.iter().find(|entry| entry["name"] == name).map(|entry| &entry["context"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_context_has_the_cluster_and_user_of_the_hub() {
        let mut config = json!({ "apiVersion": "v1", "kind": "Config", "extensions": [],
            "contexts": [{ "name": "portolan", "context": { "cluster": "hub", "user": "me" } }] });
        assert!(copy(&mut config, "portolan", "federation-cluster").expect("a new context"));
        assert_eq!(
            config["contexts"][1],
            json!({ "name": "federation-cluster",
            "context": { "cluster": "hub", "user": "me" } })
        );
        let once = config.clone();
        assert!(!copy(&mut config, "portolan", "federation-cluster").expect("the same context"));
        assert_eq!(config, once);
        config["contexts"][1]["context"]["user"] = json!("other");
        let error = copy(&mut config, "portolan", "federation-cluster").expect_err("another context");
        assert!(error.to_string().contains("--new-context"), "{error}");
    }
}
