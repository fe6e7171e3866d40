//! The labels of a namespace.

use std::fmt;

const ENFORCE_LABEL: &str = "pod-security.kubernetes.io/enforce";
const ENFORCE_VERSION_LABEL: &str = "pod-security.kubernetes.io/enforce-version";
const AUDIT_LABEL: &str = "pod-security.kubernetes.io/audit";
const AUDIT_VERSION_LABEL: &str = "pod-security.kubernetes.io/audit-version";
const WARN_LABEL: &str = "pod-security.kubernetes.io/warn";
const WARN_VERSION_LABEL: &str = "pod-security.kubernetes.io/warn-version";

/// How strict the rules are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// No rules.
    Privileged,
    /// Nothing that is known to give a pod rights on its node.
    Baseline,
    /// What hardened pods do.
    Restricted,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            "restricted" => Self::Restricted,
            _ => return None,
        })
    }
}

/// The Kubernetes version with the rules that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// `v1.MINOR`.
    Minor(u32),
    /// The newest rules.
    Latest,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::Latest);
        }
        let minor = text.strip_prefix("v1.")?;
        let is_number = minor.bytes().all(|byte| byte.is_ascii_digit());
        let is_padded = minor.len() > 1 && minor.starts_with('0');
        if !is_number || is_padded {
            return None;
        }
        minor.parse().ok().map(Self::Minor)
    }
}

/// A level as it was in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LevelVersion {
    pub(crate) level: Level,
    pub(crate) version: Version,
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            Version::Minor(minor) => write!(f, "{level}:v1.{minor}"),
            Version::Latest => write!(f, "{level}:latest"),
        }
    }
}

/// What a namespace asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Pods that break it are refused.
    pub(crate) enforce: LevelVersion,
    /// Pods that break it are noted in the audit log.
    pub(crate) audit: LevelVersion,
    /// Who creates pods that break it gets a warning.
    pub(crate) warn: LevelVersion,
}

/// A label with an unknown value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelError {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) detail: &'static str,
}

const LEVEL_ERROR: &str = "must be one of privileged, baseline, restricted";
const VERSION_ERROR: &str = r#"must be "latest" or "v1.x""#;

impl Policy {
    /// Reads labels. A wrong level enforces `restricted`, and audits and warns of nothing; a wrong version is the latest.
    pub(crate) fn of<'a>(label: impl Fn(&str) -> Option<&'a str>) -> (Self, Vec<LabelError>) {
        let mut errors = Vec::new();
        let mut read = |[level_label, version_label]: [&'static str; 2], if_wrong: Level| {
            let mut wrong = |label, value: &str, detail| {
                errors.push(LabelError { label, value: value.to_owned(), detail });
            };
            let level = label(level_label).map(|text| {
                let level = Level::parse(text);
                if level.is_none() {
                    wrong(level_label, text, LEVEL_ERROR);
                }
                level
            });
            let version = label(version_label).map(|text| {
                Version::parse(text).unwrap_or_else(|| {
                    wrong(version_label, text, VERSION_ERROR);
                    Version::Latest
                })
            });
            let read = LevelVersion {
                level: level.map_or(Level::Privileged, |level| level.unwrap_or(if_wrong)),
                version: version.unwrap_or(Version::Latest),
            };
            (read, level, version)
        };
        let (enforce, enforce_level, _) = read([ENFORCE_LABEL, ENFORCE_VERSION_LABEL], Level::Restricted);
        let (audit, ..) = read([AUDIT_LABEL, AUDIT_VERSION_LABEL], Level::Privileged);
        let (mut warn, warn_level, warn_version) = read([WARN_LABEL, WARN_VERSION_LABEL], Level::Privileged);
        // What is enforced on pods warns at the workloads that make them.
        if warn_level.is_none() && enforce_level.flatten().is_some_and(|level| level > warn.level) {
            warn.level = enforce.level;
            if warn_version.is_none() {
                warn.version = enforce.version;
            }
        }
        (Self { enforce, audit, warn }, errors)
    }
}
