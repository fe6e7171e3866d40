//! Options of list, watch, write and delete requests, and the combinations that are invalid.
//!
//! Error texts are those of kubernetes staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation and
//! pkg/apis/meta/internalversion/validation; clients match on them.

use std::time::Duration;

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::query::Query;

/// Maximum length of `fieldManager`, in bytes.
const MAX_MANAGER_BYTES: u8 = 128;

/// Options of a list or watch.
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

/// Meaning of `resourceVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionMatch {
    /// The state at this revision.
    Exact,
    /// The state at this revision or a newer one.
    NotOlderThan,
}

impl ListOptions {
    /// Parses and validates the options of a list, or of a watch.
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
        let errors = if is_watch { options.watch_errors(wanted) } else { options.list_errors(wanted) };
        reject("ListOptions", &errors).map(|()| options)
    }

    fn list_errors(&self, wanted: Option<&str>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut forbid = |field: &str, text: &str| errors.push(FieldError::forbidden(field, text));
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
                errors.push(FieldError::not_supported(MATCH, &json!(wanted), &allowed));
            }
        }
        if self.send_initial_events.is_some() {
            errors.push(FieldError::forbidden(INITIAL, "sendInitialEvents is forbidden for list"));
        }
        errors
    }

    fn watch_errors(&self, wanted: Option<&str>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut forbid = |text: &str| errors.push(FieldError::forbidden(MATCH, text));
        let fresh = self.version_match == Some(VersionMatch::NotOlderThan);
        if self.send_initial_events.is_some() && !fresh {
            forbid("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
        }
        let Some(wanted) = wanted else { return errors };
        if self.send_initial_events.is_none() {
            forbid("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
        }
        if !self.continue_token.is_empty() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if !fresh {
            errors.push(FieldError::not_supported(MATCH, &json!(wanted), &["NotOlderThan"]));
        }
        errors
    }
}

const MATCH: &str = "resourceVersionMatch";
const INITIAL: &str = "sendInitialEvents";

/// How unknown and duplicate fields are treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Refuse the request.
    Strict,
    /// Answer with `Warning` headers. The default.
    #[default]
    Warn,
    /// Drop them silently.
    Ignore,
}

/// Options of create, update and patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// `dryRun`: nothing is stored.
    pub dry_run: bool,
    /// `fieldManager` as sent.
    pub field_manager: String,
    /// How unknown and duplicate fields are treated.
    pub field_validation: FieldValidation,
    /// Take over fields of other managers (apply only).
    pub force: bool,
}

/// The kind of options, which errors name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH of any type except apply.
    Patch,
    /// PATCH with server-side apply.
    Apply,
}

impl WriteOptions {
    /// Parses and validates the options of a write.
    pub fn parse(query: &Query, kind: WriteKind) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let dry_run: Vec<&str> = query.all("dryRun").collect();
        errors.extend(dry_run_error(&dry_run));
        let manager = query.get("fieldManager").unwrap_or_default();
        errors.extend(manager_error(manager));
        let wanted = query.get("fieldValidation").unwrap_or_default();
        let field_validation = match wanted {
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            other => {
                let allowed = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported("fieldValidation", &json!(other), &allowed));
                FieldValidation::Warn
            }
        };
        match kind {
            WriteKind::Apply if manager.is_empty() => {
                errors.push(FieldError::required("fieldManager", "is required for apply patch"));
            }
            WriteKind::Patch if query.non_empty("force").is_some() => {
                errors.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
            }
            _ => {}
        }
        reject(kind.options_kind(), &errors)?;
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

/// How the dependents of a deleted object are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents are deleted after it.
    Background,
    /// Dependents are deleted before it.
    Foreground,
    /// Dependents are kept.
    Orphan,
}

/// Options of delete and deletecollection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// `dryRun`: nothing is stored.
    pub dry_run: bool,
    /// `gracePeriodSeconds`.
    pub grace_seconds: Option<i64>,
    /// `propagationPolicy`, or the policy that `orphanDependents` implies.
    pub propagation: Option<Propagation>,
    /// `orphanDependents: false` was sent: the reply to an unfinished deletion is 202.
    pub legacy_cascade: bool,
    /// The object must have this uid.
    pub uid: Option<String>,
    /// The object must have this resourceVersion.
    pub resource_version: Option<String>,
    /// `ignoreStoreReadErrorWithClusterBreakingPotential`: the object is damaged, and is deleted all the same.
    pub ignores_store_read_error: bool,
}

/// The option for damaged objects.
const IGNORE_READ_ERROR: &str = "ignoreStoreReadErrorWithClusterBreakingPotential";

impl DeleteOptions {
    /// Parses and validates the options. With a body, the query is ignored.
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
        if query.non_empty(IGNORE_READ_ERROR).is_some() {
            options[IGNORE_READ_ERROR] = json!(query.flag(IGNORE_READ_ERROR));
        }
        Ok(options)
    }

    fn check(options: &Value) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let dry_run: Vec<&str> =
            options["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        errors.extend(dry_run_error(&dry_run));
        let orphan = options["orphanDependents"].as_bool();
        let policy = options["propagationPolicy"].as_str();
        if let (Some(_), Some(policy)) = (orphan, policy) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", &json!(policy), detail));
        }
        let propagation = match (policy, orphan) {
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), _) => {
                let allowed = ["Foreground", "Background", "Orphan", "nil"];
                errors.push(FieldError::not_supported("propagationPolicy", &json!(other), &allowed));
                None
            }
            (None, None) => None,
        };
        let ignores_store_read_error = options[IGNORE_READ_ERROR].as_bool().unwrap_or_default();
        if ignores_store_read_error {
            errors.extend(forbidden_beside_ignore(options));
        }
        reject("DeleteOptions", &errors)?;
        let precondition = |name| options["preconditions"][name].as_str().map(str::to_owned);
        Ok(Self {
            dry_run: !dry_run.is_empty(),
            grace_seconds: options["gracePeriodSeconds"].as_i64(),
            propagation,
            legacy_cascade: orphan == Some(false),
            uid: precondition("uid"),
            resource_version: precondition("resourceVersion"),
            ignores_store_read_error,
        })
    }
}

/// Options that need the object, which cannot be read (`ValidateIgnoreStoreReadError` in kubernetes
/// staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go).
fn forbidden_beside_ignore(options: &Value) -> impl Iterator<Item = FieldError> + '_ {
    let fields = ["dryRun", "propagationPolicy", "orphanDependents", "gracePeriodSeconds", "preconditions"];
    let is_set = |field: &&str| match &options[*field] {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    fields.into_iter().filter(is_set).map(|field| {
        let detail = format!("cannot be set together with .{field}");
        FieldError::invalid(IGNORE_READ_ERROR, &json!(true), detail)
    })
}

/// The field manager of a write: `fieldManager`, or the user agent up to the first slash.
///
/// Upstream: `managerOrUserAgent` in kubernetes staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go.
pub fn manager_of(options: &WriteOptions, user_agent: &str) -> String {
    if !options.field_manager.is_empty() {
        return options.field_manager.clone();
    }
    let prefix = user_agent.split('/').next().unwrap_or_default();
    let mut name = String::new();
    for letter in prefix.chars().filter(|letter| !letter.is_control()) {
        if name.len() + letter.len_utf8() > usize::from(MAX_MANAGER_BYTES) {
            break;
        }
        name.push(letter);
    }
    if name.is_empty() { "unknown".to_owned() } else { name }
}

fn dry_run_error(values: &[&str]) -> Option<FieldError> {
    let wrong = values.iter().any(|&value| value != "All");
    wrong.then(|| FieldError::not_supported("dryRun", &json!(values), &["All"]))
}

fn manager_error(manager: &str) -> Option<FieldError> {
    if manager.len() > usize::from(MAX_MANAGER_BYTES) {
        let error = portolan_object::FieldErrorKind::TooLong(u64::from(MAX_MANAGER_BYTES));
        return Some(FieldError::new("fieldManager", error));
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

fn reject(kind: &str, errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", kind, "", errors)) }
}
