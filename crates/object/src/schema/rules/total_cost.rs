//! The estimated cost of all rules of a schema (apiextensions-apiserver pkg/apis/apiextensions/validation).

use crate::status::FieldError;

/// Estimated cost that one rule may have (`StaticEstimatedCostLimit`).
const RULE_LIMIT: u64 = 10_000_000;
/// Estimated cost that all rules of a schema may have (`StaticEstimatedCRDCostLimit`).
const SCHEMA_LIMIT: u64 = 100_000_000;
/// Rules that are named when the schema costs too much.
const NAMED: usize = 4;

/// Sum of estimated costs.
#[derive(Debug, Default)]
pub(super) struct TotalCost {
    total: u64,
    /// Rules with more than a hundredth of the limit, the costliest first.
    costliest: Vec<(u64, String)>,
}

impl TotalCost {
    /// Adds the cost of an expression at a path; `what` names it in the error if it costs too much by itself.
    pub(super) fn add(&mut self, path: &str, what: &str, cost: u64) -> Option<FieldError> {
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_LIMIT / 100 {
            self.costliest.push((cost, path.to_owned()));
            self.costliest.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
            self.costliest.truncate(NAMED);
        }
        (cost > RULE_LIMIT).then(|| FieldError::forbidden(path, exceeded(what, cost, RULE_LIMIT)))
    }

    /// Errors about the whole schema at `path`.
    pub(super) fn errors(&self, path: &str) -> Vec<FieldError> {
        if self.total <= SCHEMA_LIMIT {
            return Vec::new();
        }
        let part =
            "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        let costliest = self.costliest.iter().map(|(_, path)| FieldError::forbidden(path.clone(), part));
        costliest.chain([FieldError::forbidden(path, exceeded(what, self.total, SCHEMA_LIMIT))]).collect()
    }
}

fn exceeded(what: &str, cost: u64, limit: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
    let factor = cost as f64 / limit as f64;
    let factor = match factor {
        100.0.. => "more than 100x".to_owned(),
        ..1.5 => format!("{factor:.6}x"),
        _ => format!("{factor:.1}x"),
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, \
         and maxLength where arrays, maps, and strings are declared)"
    )
}
