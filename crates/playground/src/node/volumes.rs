//! The files of a pod's volumes: ConfigMaps, Secrets, fields of the pod, tokens of its ServiceAccount.
//!
//! Pure: the caller collects the objects and tokens, and writes the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use portolan_object::Object;
use portolan_object::quantity::Quantity;

use crate::node::environment::{EnvironmentError, Sources, field_value};
use crate::node::pod_spec::{
    ConfigMapVolume, ContainerSpec, DownwardVolume, KeyToPath, PodSpec, ProjectedSource, SecretVolume,
    TokenSource, VolumeSpec,
};
use crate::sandbox::{Mount, VolumeContent, VolumeFile};

/// `defaultMode` of a volume.
const DEFAULT_MODE: u32 = 0o644;

/// Limit of an empty directory without `sizeLimit`: the disk of this machine is for others as well.
const DEFAULT_EMPTY_DIR_LIMIT: u64 = 4 << 30;
const DEFAULT_EMPTY_DIR_SHOWN: &str = "4Gi";

/// Data of ConfigMaps or Secrets by name and key.
pub(crate) type Data = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// The files of a volume by path.
pub(crate) type Files = BTreeMap<String, VolumeFile>;

/// What the files are made of.
#[derive(Debug)]
pub(crate) struct VolumeSources<'a> {
    pub(crate) pod: &'a Sources<'a>,
    pub(crate) config_maps: &'a Data,
    pub(crate) secrets: &'a Data,
    pub(crate) tokens: &'a BTreeMap<TokenSource, String>,
    /// Directories of claims by name.
    pub(crate) claims: &'a BTreeMap<String, PathBuf>,
}

/// Objects and tokens that the volumes of a pod need.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) config_maps: BTreeSet<String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) tokens: BTreeSet<TokenSource>,
    /// Names of PersistentVolumeClaims.
    pub(crate) claims: BTreeSet<String>,
}

/// Why a volume is not available. The container waits until it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VolumeError {
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {kind} \"{name}\" not found")]
    Missing { volume: String, kind: &'static str, name: String },
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : references non-existent {kind} key: {key}")]
    MissingKey { volume: String, kind: &'static str, key: String },
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : {reason}")]
    Field { volume: String, reason: EnvironmentError },
    #[error("MountVolume.SetUp failed for volume \"{volume}\" : the token of the ServiceAccount is missing")]
    Token { volume: String },
    #[error(
        "volume \"{volume}\" has a source that is not simulated: emptyDir, configMap, secret, projected, downwardAPI and \
         persistentVolumeClaim are"
    )]
    Unsupported { volume: String },
}

/// What the volumes of a pod need.
pub(crate) fn needs(spec: &PodSpec) -> Needs {
    let mut needs = Needs::default();
    for volume in &spec.volumes {
        needs.config_maps.extend(volume.config_map.iter().map(|source| source.name.clone()));
        needs.claims.extend(volume.persistent_volume_claim.iter().map(|source| source.claim_name.clone()));
        needs.secrets.extend(volume.secret.iter().map(|source| source.secret_name.clone()));
        for source in volume.projected.iter().flat_map(|projected| &projected.sources) {
            needs.config_maps.extend(source.config_map.iter().map(|source| source.name.clone()));
            needs.secrets.extend(source.secret.iter().map(|source| source.secret_name.clone()));
            needs.tokens.extend(source.service_account_token.clone());
        }
    }
    needs
}

/// The mounts of a container. Only empty directories and persistent volumes can be written.
pub(crate) fn mounts(spec: &PodSpec, container: &ContainerSpec) -> Vec<Mount> {
    let is_writable = |name: &str| {
        let volume = spec.volumes.iter().find(|volume| volume.name == name);
        volume.is_some_and(|volume| {
            let claim = volume.persistent_volume_claim.as_ref();
            volume.empty_dir.is_some() || claim.is_some_and(|claim| !claim.read_only)
        })
    };
    let mounts = container.volume_mounts.iter().map(|mount| Mount {
        volume: mount.name.clone(),
        path: mount.mount_path.clone(),
        sub_path: mount.sub_path.clone(),
        read_only: mount.read_only || !is_writable(&mount.name),
    });
    mounts.collect()
}

/// An empty directory with its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmptyDirectory {
    pub(crate) volume: String,
    /// Bytes that its files may take.
    pub(crate) limit: u64,
    /// The limit as the pod has it.
    pub(crate) shown: String,
}

/// The empty directories of a pod.
pub(crate) fn empty_directories(spec: &PodSpec) -> Vec<EmptyDirectory> {
    let empty = |volume: &VolumeSpec| {
        let source = volume.empty_dir.as_ref()?;
        let asked =
            source.size_limit.as_deref().and_then(|limit| Some((limit, Quantity::parse(limit).ok()?)));
        let limit = asked
            .as_ref()
            .and_then(|(_, limit)| u64::try_from(limit.round_up()).ok())
            .filter(|limit| *limit > 0);
        let shown = asked.filter(|_| limit.is_some()).map_or(DEFAULT_EMPTY_DIR_SHOWN, |(limit, _)| limit);
        let limit = limit.unwrap_or(DEFAULT_EMPTY_DIR_LIMIT);
        Some(EmptyDirectory { volume: volume.name.clone(), limit, shown: shown.to_owned() })
    };
    spec.volumes.iter().filter_map(empty).collect()
}

/// What is in a volume.
pub(crate) fn content(
    volume: &VolumeSpec,
    sources: &VolumeSources<'_>,
) -> Result<VolumeContent, VolumeError> {
    if volume.empty_dir.is_some() {
        return Ok(VolumeContent::Written);
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let directory = sources.claims.get(&claim.claim_name);
        let missing = || VolumeError::Missing {
            volume: volume.name.clone(),
            kind: "persistentvolumeclaim",
            name: claim.claim_name.clone(),
        };
        return directory.cloned().map(VolumeContent::Persistent).ok_or_else(missing);
    }
    files(volume, sources).map(VolumeContent::Files)
}

/// The files of a volume that is made of objects.
fn files(volume: &VolumeSpec, sources: &VolumeSources<'_>) -> Result<Files, VolumeError> {
    let writer = Writer { volume: &volume.name, sources };
    let mut files = Files::new();
    if let Some(source) = &volume.config_map {
        writer.config_map(source, source.default_mode, &mut files)?;
    } else if let Some(source) = &volume.secret {
        writer.secret(source, source.default_mode, &mut files)?;
    } else if let Some(source) = &volume.downward_api {
        writer.downward(source, source.default_mode, &mut files)?;
    } else if let Some(projected) = &volume.projected {
        for source in &projected.sources {
            writer.projected(source, projected.default_mode, &mut files)?;
        }
    } else {
        return Err(VolumeError::Unsupported { volume: volume.name.clone() });
    }
    Ok(files)
}

struct Writer<'a> {
    volume: &'a str,
    sources: &'a VolumeSources<'a>,
}

impl Writer<'_> {
    fn projected(
        &self,
        source: &ProjectedSource,
        mode: Option<u32>,
        files: &mut Files,
    ) -> Result<(), VolumeError> {
        if let Some(config_map) = &source.config_map {
            self.config_map(config_map, mode, files)?;
        }
        if let Some(secret) = &source.secret {
            self.secret(secret, mode, files)?;
        }
        if let Some(downward) = &source.downward_api {
            self.downward(downward, mode, files)?;
        }
        if let Some(token) = &source.service_account_token {
            let content = self.sources.tokens.get(token);
            let content = content.ok_or_else(|| VolumeError::Token { volume: self.volume.to_owned() })?;
            let mode = mode.unwrap_or(DEFAULT_MODE);
            files.insert(token.path.clone(), VolumeFile { content: content.clone().into_bytes(), mode });
        }
        Ok(())
    }

    fn config_map(
        &self,
        source: &ConfigMapVolume,
        mode: Option<u32>,
        files: &mut Files,
    ) -> Result<(), VolumeError> {
        let data = self.sources.config_maps.get(&source.name);
        self.keys(("configmap", &source.name, source.optional), data, &source.items, mode, files)
    }

    fn secret(&self, source: &SecretVolume, mode: Option<u32>, files: &mut Files) -> Result<(), VolumeError> {
        let data = self.sources.secrets.get(&source.secret_name);
        self.keys(("secret", &source.secret_name, source.optional), data, &source.items, mode, files)
    }

    fn keys(
        &self,
        (kind, name, optional): (&'static str, &str, bool),
        data: Option<&BTreeMap<String, Vec<u8>>>,
        items: &[KeyToPath],
        mode: Option<u32>,
        files: &mut Files,
    ) -> Result<(), VolumeError> {
        let volume = || self.volume.to_owned();
        let Some(data) = data else {
            let missing = VolumeError::Missing { volume: volume(), kind, name: name.to_owned() };
            return if optional { Ok(()) } else { Err(missing) };
        };
        let mode = mode.unwrap_or(DEFAULT_MODE);
        if items.is_empty() {
            let all = data
                .iter()
                .map(|(key, content)| (key.clone(), VolumeFile { content: content.clone(), mode }));
            files.extend(all);
        }
        for item in items {
            match data.get(&item.key) {
                Some(content) => {
                    let file = VolumeFile { content: content.clone(), mode: item.mode.unwrap_or(mode) };
                    files.insert(item.path.clone(), file);
                }
                None if optional => {}
                None => {
                    return Err(VolumeError::MissingKey { volume: volume(), kind, key: item.key.clone() });
                }
            }
        }
        Ok(())
    }

    fn downward(
        &self,
        source: &DownwardVolume,
        mode: Option<u32>,
        files: &mut Files,
    ) -> Result<(), VolumeError> {
        for item in &source.items {
            // `resourceFieldRef`: containers here have no resource limits.
            let path = item.field_ref.as_ref().map(|field| field.field_path.as_str());
            let content = match path {
                None => String::new(),
                Some("metadata.labels") => quoted(&self.sources.pod.pod.labels()),
                Some("metadata.annotations") => quoted(&self.sources.pod.pod.annotations()),
                Some(path) => field_value(path, self.sources.pod)
                    .map_err(|reason| VolumeError::Field { volume: self.volume.to_owned(), reason })?,
            };
            let mode = item.mode.or(mode).unwrap_or(DEFAULT_MODE);
            files.insert(item.path.clone(), VolumeFile { content: content.into_bytes(), mode });
        }
        Ok(())
    }
}

/// A line `key="value"` for each entry, as the kubelet writes maps.
fn quoted(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value:?}\n")).collect()
}

/// The data of a ConfigMap, with `binaryData`, or of a Secret; `decode` reads base64.
pub(crate) fn data(object: &Object, decode: impl Fn(&str) -> Option<Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let is_secret = object.kind() == "Secret";
    let mut found = BTreeMap::new();
    for (field, is_encoded) in [("data", is_secret), ("binaryData", true)] {
        let entries = object.at(&[field]).and_then(serde_json::Value::as_object).into_iter().flatten();
        found.extend(entries.filter_map(|(key, value)| {
            let text = value.as_str()?;
            let bytes = if is_encoded { decode(text)? } else { text.as_bytes().to_vec() };
            Some((key.clone(), bytes))
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rendered(volume: Value) -> Result<Vec<String>, String> {
        let pod = Object(
            json!({ "metadata": { "name": "web", "namespace": "shop", "labels": { "a": "1", "b": "x\"y" } },
            "spec": { "volumes": [volume] } }),
        );
        let spec = PodSpec::of(&pod).expect("a spec");
        let data = |name: &str, entries: &[(&str, &str)]| -> Data {
            let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
            [(name.to_owned(), entries.collect())].into()
        };
        let (config_maps, secrets) =
            (data("settings", &[("one", "1"), ("two", "2")]), data("keys", &[("key", "k")]));
        let tokens = needs(&spec).tokens.into_iter().map(|token| (token, "t".to_owned())).collect();
        let nothing = BTreeMap::new();
        let sources = Sources {
            pod: &pod,
            spec: &spec,
            pod_addresses: &[],
            host_address: std::net::Ipv4Addr::LOCALHOST.into(),
            config_maps: &nothing,
            secrets: &nothing,
            services: &[],
        };
        let sources = VolumeSources {
            pod: &sources,
            config_maps: &config_maps,
            secrets: &secrets,
            tokens: &tokens,
            claims: &BTreeMap::new(),
        };
        let files = files(&spec.volumes[0], &sources).map_err(|error| error.to_string())?;
        let text = |(path, file): (&String, &VolumeFile)| {
            format!("{path} {:o} {}", file.mode, String::from_utf8_lossy(&file.content))
        };
        Ok(files.iter().map(text).collect())
    }

    #[test]
    fn files_of_volumes() {
        let projected = json!({ "name": "v", "projected": { "defaultMode": 256, "sources": [
            { "serviceAccountToken": { "path": "token" } },
            { "configMap": { "name": "settings", "items": [{ "key": "one", "path": "dir/one" }] } },
            { "secret": { "name": "keys" } },
            { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
        ] } });
        let cases = [
            (
                "all keys",
                json!({ "name": "v", "configMap": { "name": "settings" } }),
                vec!["one 644 1", "two 644 2"],
            ),
            (
                "some keys",
                json!({ "name": "v", "secret": { "secretName": "keys", "defaultMode": 256, "items": [{ "key": "key", "path": "a/b" }] } }),
                vec!["a/b 400 k"],
            ),
            (
                "nothing that is optional",
                json!({ "name": "v", "configMap": { "name": "none", "optional": true } }),
                vec![],
            ),
            (
                "maps of the pod",
                json!({ "name": "v", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } }),
                vec!["labels 644 a=\"1\"\nb=\"x\\\"y\"\n"],
            ),
            ("projected", projected, vec!["dir/one 400 1", "key 400 k", "namespace 400 shop", "token 400 t"]),
        ];
        for (name, volume, want) in cases {
            assert_eq!(rendered(volume).expect(name), want, "{name}");
        }
    }

    #[test]
    fn empty_directories_have_limits() {
        let volumes = json!([{ "name": "a", "emptyDir": { "sizeLimit": "1Mi" } }, { "name": "b", "emptyDir": {} },
            { "name": "c", "emptyDir": { "sizeLimit": "0" } }, { "name": "d", "secret": { "secretName": "s" } }]);
        let spec = PodSpec::of(&Object(json!({ "spec": { "volumes": volumes } }))).expect("a spec");
        let limits: Vec<(String, u64)> =
            empty_directories(&spec).into_iter().map(|found| (found.volume, found.limit)).collect();
        let of = |name: &str, limit| (name.to_owned(), limit);
        let default = DEFAULT_EMPTY_DIR_LIMIT;
        assert_eq!(limits, [of("a", 1 << 20), of("b", default), of("c", default)]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = rendered(json!({ "name": "v", "configMap": { "name": "none" } })).expect_err("missing");
        assert!(missing.ends_with("configmap \"none\" not found"), "{missing}");
        let items = json!([{ "key": "three", "path": "three" }]);
        let key = rendered(json!({ "name": "v", "configMap": { "name": "settings", "items": items } }));
        assert!(key.expect_err("missing").ends_with("references non-existent configmap key: three"));
        let disk = rendered(json!({ "name": "v", "hostPath": { "path": "/" } }));
        assert!(disk.expect_err("unsupported").contains("not simulated"));
    }

    #[test]
    fn binary_data_is_decoded() {
        let map = Object(json!({ "kind": "ConfigMap", "data": { "a": "1" }, "binaryData": { "b": "2" } }));
        let decoded = data(&map, |text| Some(format!("<{text}>").into_bytes()));
        assert_eq!(decoded, [("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"<2>".to_vec())].into());
    }
}
