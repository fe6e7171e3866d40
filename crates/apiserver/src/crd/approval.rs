//! The approval that definitions in groups of the Kubernetes community show.
//!
//! # Source
//! KEP-1111, "CRD API approval".

use portolan_object::FieldError;
use serde_json::{Value, json};

use crate::tree;

/// Says where a protected group was agreed on, or that it was not.
const ANNOTATION: &str = "api-approved.kubernetes.io";

/// Domains of the community.
const PROTECTED: [&str; 2] = ["k8s.io", "kubernetes.io"];

const REFERENCE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";

/// The approval annotation of a definition in a protected group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Approval<'a> {
    pub(super) state: State,
    text: &'a str,
}

/// See [`Approval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    Missing,
    /// Something else than what is understood.
    Unreadable,
    /// No approval.
    Refused,
    /// URL of the approval.
    Given,
}

impl<'a> Approval<'a> {
    /// The approval of a definition; `None` when its group needs none.
    pub(super) fn from_definition(definition: &'a Value) -> Option<Self> {
        let group = tree::str_at(definition, "/spec/group");
        let is_protected = PROTECTED.iter().any(|domain| {
            group.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        let text = definition["metadata"]["annotations"][ANNOTATION].as_str().unwrap_or_default();
        let state = match text {
            "" => State::Missing,
            text if text.starts_with("unapproved") => State::Refused,
            text if is_url(text) => State::Given,
            _ => State::Unreadable,
        };
        is_protected.then_some(Self { state, text })
    }

    /// Error of a definition without a valid approval.
    pub(super) fn error(self) -> Option<FieldError> {
        let field = format!("metadata.annotations[{ANNOTATION}]");
        match self.state {
            State::Refused | State::Given => None,
            State::Missing => Some(FieldError::required(field, &self.explanation())),
            State::Unreadable => Some(FieldError::invalid(field, &json!(self.text), self.explanation())),
        }
    }

    /// State, reason and message of the condition `KubernetesAPIApprovalPolicyConformant`.
    pub(super) fn condition(self) -> (&'static str, &'static str, String) {
        match self.state {
            State::Given => ("True", "ApprovedAnnotation", self.explanation()),
            State::Refused => ("False", "UnapprovedAnnotation", self.explanation()),
            State::Missing => ("False", "MissingAnnotation", self.explanation()),
            State::Unreadable => ("False", "InvalidAnnotation", self.explanation()),
        }
    }

    fn explanation(self) -> String {
        let demand = format!("protected groups must have approval annotation {ANNOTATION:?}");
        match self.state {
            State::Given => format!("approved in {}", self.text),
            State::Refused => format!("not approved: {:?}", self.text),
            State::Missing => format!("{demand}, {REFERENCE}"),
            State::Unreadable => {
                format!("{demand} with either a URL or a reason starting with \"unapproved\", {REFERENCE}")
            }
        }
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_scheme = scheme.starts_with(|letter: char| letter.is_ascii_alphabetic());
        is_scheme && !host.is_empty() && !text.contains(|letter: char| letter.is_control() || letter == ' ')
    })
}
