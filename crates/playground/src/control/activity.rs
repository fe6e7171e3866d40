//! What a member of the playground does, and the actions that change it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Activity {
    /// It works.
    Running,
    /// It exists and answers nothing.
    Paused,
    /// Nothing of it runs.
    Stopped,
}

/// A change of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// End everything that runs for it, as when its processes are killed.
    Stop,
    /// Start it again.
    Start,
    /// Hold everything that runs for it, as SIGSTOP does.
    Pause,
    /// Let it go on.
    Resume,
}

/// What an action comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is to be done.
    Act,
    /// The member is in that state.
    Nothing,
    /// Another action has to come first.
    Refused { first: Action },
}

impl Activity {
    pub(crate) fn step(self, action: Action) -> Step {
        match (self, action) {
            (Self::Running, Action::Stop | Action::Pause)
            | (Self::Paused, Action::Stop | Action::Resume)
            | (Self::Stopped, Action::Start) => Step::Act,
            (Self::Running, Action::Start | Action::Resume)
            | (Self::Paused, Action::Pause)
            | (Self::Stopped, Action::Stop) => Step::Nothing,
            (Self::Paused, Action::Start) => Step::Refused { first: Action::Resume },
            (Self::Stopped, Action::Pause | Action::Resume) => Step::Refused { first: Action::Start },
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_done_once_and_never_out_of_order() {
        let activities = [Activity::Running, Activity::Paused, Activity::Stopped];
        let table = [
            (Action::Stop, ["act", "act", "nothing"]),
            (Action::Start, ["nothing", "resume first", "act"]),
            (Action::Pause, ["act", "nothing", "start first"]),
            (Action::Resume, ["nothing", "act", "start first"]),
        ];
        for (action, wanted) in table {
            let steps = activities.map(|activity| match activity.step(action) {
                Step::Act => "act".to_owned(),
                Step::Nothing => "nothing".to_owned(),
                Step::Refused { first } => format!("{first} first"),
            });
            assert_eq!(steps, wanted, "{action}");
        }
    }
}
