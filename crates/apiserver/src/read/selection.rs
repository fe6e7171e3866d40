//! [`Selection`]: label and field selectors of a request.

use portolan_object::Status;
use portolan_object::selector::{FieldSelector, InvalidSelector, LabelSelector};
use portolan_store::Versioned;

use crate::kinds::selectable;
use crate::record::Record;
use crate::request::options::ListOptions;
use crate::resources::{Resource, Source};

/// The parsed selectors of a list, watch or deletecollection.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// Parses the selectors and checks that their fields are selectable.
    ///
    /// # Errors
    /// 400 with the texts of kubernetes staging/src/k8s.io/apimachinery/pkg/labels and pkg/fields.
    pub(crate) fn parse(resource: &Resource, options: &ListOptions) -> Result<Self, Status> {
        let refuse = |InvalidSelector(text)| Status::bad_request(text);
        let labels = LabelSelector::parse(&options.label_selector).map_err(refuse)?;
        let fields = FieldSelector::parse(&options.field_selector).map_err(refuse)?;
        for term in &fields.terms {
            check_field(resource, &term.field)?;
        }
        Ok(Self { labels, fields })
    }

    /// Whether every object is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// The name that the field selector requires.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name").filter(|name| !name.is_empty())
    }

    /// The namespace that the field selector requires.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.fields.exact("metadata.namespace").filter(|namespace| !namespace.is_empty())
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, resource: &Resource, item: &Versioned<Record>) -> bool {
        let labels = || self.labels.matches_with(|key| item.value.summary().label(key));
        let fields = || self.fields.is_everything() || self.fields_match(resource, item);
        labels() && fields()
    }

    fn fields_match(&self, resource: &Resource, item: &Versioned<Record>) -> bool {
        let (namespace, name) = resource.locate(&item.key);
        let (by_key, by_content): (Vec<_>, Vec<_>) =
            self.fields.terms.iter().partition(|term| is_key_field(&term.field));
        let key_matches = by_key
            .iter()
            .all(|term| term.matches(if term.field == "metadata.name" { name } else { namespace }));
        if !key_matches || by_content.is_empty() {
            return key_matches;
        }
        match &resource.source {
            Source::Builtin(kind) => {
                let Some(known) = kind.selectable.get() else { return false };
                let values = item.value.fields(|object| selectable::values(known, object));
                by_content.iter().all(|term| {
                    let value = known.iter().zip(values).find(|(field, _)| field.name == term.field);
                    value.is_some_and(|(_, value)| term.matches(value))
                })
            }
            Source::Custom(version) => {
                let object = resource.value(item);
                by_content.iter().all(|term| term.matches(&version.selectable_value(&term.field, &object)))
            }
        }
    }
}

fn is_key_field(field: &str) -> bool {
    matches!(field, "metadata.name" | "metadata.namespace")
}

fn check_field(resource: &Resource, field: &str) -> Result<(), Status> {
    if field == "metadata.name" || (field == "metadata.namespace" && resource.is_namespaced) {
        return Ok(());
    }
    let own = match &resource.source {
        Source::Builtin(kind) => {
            kind.selectable.get().map(|known| known.iter().any(|known| known.name == field))
        }
        Source::Custom(version) => Some(version.is_selectable(field)),
    };
    match own {
        Some(true) => Ok(()),
        Some(false) => Err(Status::bad_request(format!("field label not supported: {field}"))),
        None => Err(Status::bad_request(format!(
            "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ))),
    }
}
