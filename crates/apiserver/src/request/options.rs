//! The options of list, watch, write and delete requests, with the combinations that are refused.
//!
//! Texts follow the validation of `metav1` options (kube-api-contract 2.8 to 2.11); clients match on them.

use std::time::Duration;

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::query::Query;

/// Longest `fieldManager`, in bytes.
const MAX_MANAGER: usize = 128;

/// What a list or watch selects and how fresh it must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// `labelSelector` as sent.
    pub label_selector: String,
    /// `fieldSelector` as sent.
    pub field_selector: String,
    /// Page size; `None` is everything.
    pub limit: Option<usize>,
    /// `continue` as sent.
    pub continue_token: String,
    /// `resourceVersion` as sent.
    pub resource_version: String,
    /// `resourceVersionMatch`.
    pub version_match: Option<VersionMatch>,
    /// `timeoutSeconds`.
    pub timeout: Option<Duration>,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `sendInitialEvents`.
    pub send_initial_events: Option<bool>,
}

/// How `resourceVersion` is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionMatch {
    /// The state at exactly that revision.
    Exact,
    /// That revision or any newer.
    NotOlderThan,
}

impl ListOptions {
    /// Reads and checks the options of a list, or of a watch.
    pub fn parse(query: &Query, is_watch: bool) -> Result<Self, Status> {
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        let flag = |name| query.non_empty(name).map(|_| query.flag(name));
        let options = Self {
            label_selector: text("labelSelector"),
            field_selector: text("fieldSelector"),
            limit: number(query, "limit")?
                .filter(|&limit| limit > 0)
                .and_then(|limit| usize::try_from(limit).ok()),
            continue_token: text("continue"),
            resource_version: text("resourceVersion"),
            version_match: match query.get("resourceVersionMatch") {
                Some("Exact") => Some(VersionMatch::Exact),
                Some("NotOlderThan") => Some(VersionMatch::NotOlderThan),
                _ => None,
            },
            timeout: number(query, "timeoutSeconds")?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|&seconds| seconds > 0)
                .map(Duration::from_secs),
            bookmarks: query.flag("allowWatchBookmarks"),
            send_initial_events: flag("sendInitialEvents"),
        };
        let wanted = query.non_empty("resourceVersionMatch");
        let faults = if is_watch { options.watch_faults(wanted) } else { options.list_faults(wanted) };
        reject("ListOptions", &faults).map(|()| options)
    }

    fn list_faults(&self, wanted: Option<&str>) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut forbid = |field: &str, text: &str| faults.push(FieldError::forbidden(field, text));
        if let Some(wanted) = wanted {
            if self.resource_version.is_empty() {
                forbid(MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided");
            }
            if !self.continue_token.is_empty() {
                forbid(MATCH, "resourceVersionMatch is forbidden when continue is provided");
            }
            if self.version_match == Some(VersionMatch::Exact) && self.resource_version == "0" {
                forbid(MATCH, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
            }
            if self.version_match.is_none() {
                let allowed = ["Exact", "NotOlderThan", ""];
                faults.push(FieldError::not_supported(MATCH, &json!(wanted), &allowed));
            }
        }
        if self.send_initial_events.is_some() {
            faults.push(FieldError::forbidden(INITIAL, "sendInitialEvents is forbidden for list"));
        }
        faults
    }

    fn watch_faults(&self, wanted: Option<&str>) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut forbid = |text: &str| faults.push(FieldError::forbidden(MATCH, text));
        let fresh = self.version_match == Some(VersionMatch::NotOlderThan);
        if self.send_initial_events.is_some() && !fresh {
            forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        let Some(wanted) = wanted else { return faults };
        if self.send_initial_events.is_none() {
            forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if !self.continue_token.is_empty() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if !fresh {
            faults.push(FieldError::not_supported(MATCH, &json!(wanted), &["NotOlderThan"]));
        }
        faults
    }
}

const MATCH: &str = "resourceVersionMatch";
const INITIAL: &str = "sendInitialEvents";

/// What to do about unknown and duplicate fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Refuse the request.
    Strict,
    /// Answer with `Warning` headers; what an omitted option means.
    #[default]
    Warn,
    /// Say nothing.
    Ignore,
}

/// Options of create, update and patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// `fieldManager` as sent.
    pub field_manager: String,
    /// What to do about unknown and duplicate fields.
    pub field_validation: FieldValidation,
    /// Take over fields of other managers (apply only).
    pub force: bool,
}

/// Which write the options belong to; they name themselves in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH, whatever its type but apply.
    Patch,
    /// PATCH with server-side apply.
    Apply,
}

impl WriteOptions {
    /// Reads and checks the options of a write.
    pub fn parse(query: &Query, kind: WriteKind) -> Result<Self, Status> {
        let mut faults = Vec::new();
        let dry_run: Vec<&str> = query.all("dryRun").filter(|value| !value.is_empty()).collect();
        faults.extend(dry_run_fault(&dry_run));
        let manager = query.get("fieldManager").unwrap_or_default();
        faults.extend(manager_fault(manager));
        let wanted = query.get("fieldValidation").unwrap_or_default();
        let field_validation = match wanted {
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            other => {
                let allowed = ["", "Ignore", "Strict", "Warn"];
                faults.push(FieldError::not_supported("fieldValidation", &json!(other), &allowed));
                FieldValidation::Warn
            }
        };
        match kind {
            WriteKind::Apply if manager.is_empty() => {
                faults.push(FieldError::required("fieldManager", "is required for apply patch"));
            }
            WriteKind::Patch if query.non_empty("force").is_some() => {
                faults.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
            }
            _ => {}
        }
        reject(kind.options_kind(), &faults)?;
        let force = kind == WriteKind::Apply && query.flag("force");
        Ok(Self { dry_run: !dry_run.is_empty(), field_manager: manager.to_owned(), field_validation, force })
    }
}

impl WriteKind {
    fn options_kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

/// What becomes of the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// Options of delete and deletecollection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// `gracePeriodSeconds`.
    pub grace_seconds: Option<i64>,
    /// `propagationPolicy`, or what `orphanDependents` stands for.
    pub propagation: Option<Propagation>,
    /// `orphanDependents: false` was sent, which changes the code of the reply.
    pub legacy_cascade: bool,
    /// The object must have this uid.
    pub uid: Option<String>,
    /// The object must have this resourceVersion.
    pub resource_version: Option<String>,
}

impl DeleteOptions {
    /// Reads and checks the options: the body wins over the query.
    pub fn parse(query: &Query, body: Option<&Value>) -> Result<Self, Status> {
        match body {
            Some(body) => Self::check(body),
            None => Self::check(&Self::from_query(query)?),
        }
    }

    fn from_query(query: &Query) -> Result<Value, Status> {
        let mut options = json!({ "dryRun": query.all("dryRun").collect::<Vec<_>>() });
        if let Some(grace) = number(query, "gracePeriodSeconds")? {
            options["gracePeriodSeconds"] = json!(grace);
        }
        if let Some(policy) = query.non_empty("propagationPolicy") {
            options["propagationPolicy"] = json!(policy);
        }
        if query.non_empty("orphanDependents").is_some() {
            options["orphanDependents"] = json!(query.flag("orphanDependents"));
        }
        Ok(options)
    }

    fn check(options: &Value) -> Result<Self, Status> {
        let mut faults = Vec::new();
        let dry_run: Vec<&str> =
            options["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        faults.extend(dry_run_fault(&dry_run));
        let orphan = options["orphanDependents"].as_bool();
        let policy = options["propagationPolicy"].as_str();
        if let (Some(_), Some(policy)) = (orphan, policy) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            faults.push(FieldError::invalid("propagationPolicy", &json!(policy), detail));
        }
        let propagation = match (policy, orphan) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), _) => {
                let allowed = ["Foreground", "Background", "Orphan", "nil"];
                faults.push(FieldError::not_supported("propagationPolicy", &json!(other), &allowed));
                None
            }
            (None, None) => None,
        };
        reject("DeleteOptions", &faults)?;
        let precondition = |name| options["preconditions"][name].as_str().map(str::to_owned);
        Ok(Self {
            dry_run: !dry_run.is_empty(),
            grace_seconds: options["gracePeriodSeconds"].as_i64(),
            propagation,
            legacy_cascade: orphan == Some(false),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
        })
    }
}

/// The manager that a write is attributed to when it names none: the user agent up to the first slash.
///
/// # Source
/// `prefixFromUserAgent` of kube-apiserver.
pub fn manager_of(options: &WriteOptions, user_agent: &str) -> String {
    if !options.field_manager.is_empty() {
        return options.field_manager.clone();
    }
    let prefix = user_agent.split('/').next().unwrap_or_default();
    let mut name = String::new();
    for letter in prefix.chars().filter(|letter| !letter.is_control()) {
        if name.len() + letter.len_utf8() > MAX_MANAGER {
            break;
        }
        name.push(letter);
    }
    if name.is_empty() { "unknown".to_owned() } else { name }
}

fn dry_run_fault(values: &[&str]) -> Option<FieldError> {
    let wrong = values.iter().any(|&value| value != "All");
    wrong.then(|| FieldError::not_supported("dryRun", &json!(values), &["All"]))
}

fn manager_fault(manager: &str) -> Option<FieldError> {
    if manager.len() > MAX_MANAGER {
        let fault = portolan_object::Fault::TooLong(MAX_MANAGER as u64);
        return Some(FieldError::new("fieldManager", fault));
    }
    let unprintable = manager.chars().any(char::is_control);
    unprintable.then(|| {
        FieldError::invalid("fieldManager", &json!(manager), "should not contain unprintable characters")
    })
}

fn number(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    let Some(text) = query.non_empty(name) else { return Ok(None) };
    let parsed = text
        .parse()
        .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
    Ok(Some(parsed))
}

fn reject(kind: &str, faults: &[FieldError]) -> Result<(), Status> {
    if faults.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", kind, "", faults)) }
}
