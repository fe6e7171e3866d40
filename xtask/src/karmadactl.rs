//! `cargo xtask karmadactl`: the tests that use Karmada's command line against the control plane. The gate leaves them out, because
//! not every mirror of Go modules has Karmada's.

use anyhow::Result;

use crate::test::{self, Scope};
use crate::tools;

/// Builds karmadactl and the programs under test, and runs the tests.
pub(crate) fn run() -> Result<()> {
    let assets = tools::karmadactl()?;
    test::step("binaries", test::whole(Scope::Full, &test::BINARIES, &[]))?;
    let tests = test::whole(Scope::Full, &["test", "--test", "commands"], &["karmadactl", "--ignored"]);
    test::step("karmadactl", test::with_assets(tests, &assets))
}
