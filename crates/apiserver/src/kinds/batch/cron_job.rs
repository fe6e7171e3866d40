//! Cron jobs.

pub(crate) mod schedule;

use serde_json::{Map, Value, json};

use super::GROUP;
use super::job::spec;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, elapsed};
use crate::kinds::table::{AGE, CONTAINERS, Column, IMAGES, NAME, SELECTOR, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, pod_spec, status,
};
use crate::tree;
use crate::tree::{child, child_if_present, default};
use crate::validation::FieldErrors;
use crate::validation::path::Path;

const SPEC: Path<'static> = Path::root("spec");

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "CronJob", "cronjobs")
        .singular("cronjob")
        .namespaced()
        .category(&["all"])
        .short(&["cj"])
        .subresources(&[Subresource::status("CronJob")]),
    // The controller appends a dash and ten digits, and the job's name becomes a label value of 63 characters.
    names: NameRule::ShortSubdomain(52),
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(status::empty_status),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    if let Some(template) = child_if_present(spec, "jobTemplate") {
        child(template, "metadata");
        if let Some(spec) = child(template, "spec") {
            // What is missing in the jobs is filled in when they are made; only their pods are completed here.
            pod_spec::default_template(spec);
        }
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let path = SPEC.child("schedule");
    match tree::str_at(spec, "/schedule") {
        "" => errors.required(&path, ""),
        text => {
            let allows_zone = old.is_some_and(|old| tree::str_at(old, "/spec/schedule").contains("TZ"));
            if let Err(detail) = schedule::check(text) {
                errors.invalid(&path, text, detail);
            }
            if !allows_zone && text.contains("TZ") {
                let detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
                errors.invalid(&path, text, detail);
            }
        }
    }
    errors.not_negative(&SPEC, spec, "startingDeadlineSeconds");
    time_zone(spec, errors);
    let policy = tree::str_at(spec, "/concurrencyPolicy");
    errors.one_of(&SPEC.child("concurrencyPolicy"), policy, &["Allow", "Forbid", "Replace"]);
    job_template(spec, errors);
    for field in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        errors.not_negative(&SPEC, spec, field);
    }
}

fn time_zone(spec: &Value, errors: &mut FieldErrors) {
    let Some(zone) = tree::present(spec, "/timeZone").and_then(Value::as_str) else { return };
    let path = SPEC.child("timeZone");
    if zone.is_empty() {
        errors.invalid(&path, zone, "timeZone must be nil or non-empty string");
        return;
    }
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(&byte);
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.starts_with('-')
            && part.bytes().all(is_inner)
    };
    if !zone.split('/').all(is_part) {
        errors.invalid(&path, zone, format!("unknown time zone {zone}"));
    } else if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.invalid(&path, zone, detail);
    }
}

fn job_template(spec: &Value, errors: &mut FieldErrors) {
    let template = SPEC.child("jobTemplate");
    let path = template.child("spec");
    let job = spec.pointer("/jobTemplate/spec").unwrap_or(&Value::Null);
    spec::validate_spec(&path, job, errors);
    if let Some(selector) = tree::present(job, "/selector") {
        errors.invalid(&path.child("selector"), selector.clone(), "`selector` will be auto-generated");
    }
    if tree::is_true(job, "/manualSelector") {
        errors.not_supported(&path.child("manualSelector"), true, &["nil", "false"]);
    }
}

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Schedule", "When jobs start, in cron format."),
        Column::string("Timezone", "Time zone of the schedule."),
        Column::boolean("Suspend", "Whether no further jobs are started."),
        Column::integer("Active", "Jobs that are running."),
        Column::string("Last Schedule", "Time since a job was last started."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("/spec/jobTemplate/spec/template/spec");
    let suspended = tree::present(row.object, "/spec/suspend").and_then(Value::as_bool);
    let last = match row.text("/status/lastScheduleTime") {
        "" => "<none>".to_owned(),
        last => elapsed(last, row.now),
    };
    vec![
        row.name(),
        json!(row.text("/spec/schedule")),
        json!(row.text_or("/spec/timeZone", "<none>")),
        json!(suspended.map_or("<unset>", |suspended| if suspended { "True" } else { "False" })),
        json!(row.list("/status/active").len()),
        json!(last),
        row.age(),
        names,
        images,
        json!(row.selector("/spec/jobTemplate/spec/selector")),
    ]
}
