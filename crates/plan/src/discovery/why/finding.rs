//! Findings of the hops.

/// Result of one check of a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No problem; the text describes the state that was seen.
    Good(String),
    /// Traffic can pass, but there is a problem.
    Warning {
        /// The problem.
        cause: String,
        /// Next step.
        next: String,
    },
    /// Whether traffic passes cannot be known, because something could not be read.
    Unclear {
        /// What could not be read, and why.
        cause: String,
        /// Next step.
        next: String,
    },
    /// Nothing was looked at; the text says why.
    NotSeen(String),
    /// No traffic passes this hop.
    Broken {
        /// The problem.
        cause: String,
        /// Next step.
        next: String,
    },
}

impl Finding {
    pub(super) fn broken(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Broken { cause: cause.into(), next: next.into() }
    }

    pub(super) fn warning(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Warning { cause: cause.into(), next: next.into() }
    }

    pub(super) fn unclear(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Unclear { cause: cause.into(), next: next.into() }
    }

    /// The finding where other traffic passes.
    pub(super) fn into_doubt(self) -> Self {
        match self {
            Self::Broken { cause, next } | Self::Unclear { cause, next } => Self::Warning { cause, next },
            other => other,
        }
    }

    /// Whether no traffic passes.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}

/// Findings for several exporters: while traffic passes for one of them, the problem of another is a warning.
pub(super) fn of_exporters(found: Vec<Finding>) -> Vec<Finding> {
    let passes = found.iter().any(|finding| matches!(finding, Finding::Good(_) | Finding::Warning { .. }));
    let is_clear = passes || found.iter().any(|finding| matches!(finding, Finding::Unclear { .. }));
    found
        .into_iter()
        .map(|finding| match finding {
            Finding::Unclear { .. } if passes => finding.into_doubt(),
            Finding::Broken { .. } if is_clear => finding.into_doubt(),
            other => other,
        })
        .collect()
}

/// Several good findings as one.
pub(super) fn joined(found: Vec<Finding>) -> Vec<Finding> {
    let (good, mut others): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| matches!(finding, Finding::Good(_)));
    let texts: Vec<String> = good
        .into_iter()
        .filter_map(|finding| match finding {
            Finding::Good(text) => Some(text),
            _ => None,
        })
        .collect();
    if !texts.is_empty() {
        others.push(Finding::Good(texts.join(", ")));
    }
    others
}
