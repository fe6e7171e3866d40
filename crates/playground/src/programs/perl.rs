//! `perl`: prints digits of pi, as the Job of Kubernetes' documentation does (`perl -Mbignum=bpi -wle 'print bpi(2000)'`). Every
//! other script ends with an error.

use crate::programs::{Executable, Image, Process, Running};

pub(crate) const IMAGE: Image = Image {
    repositories: &["perl"],
    entrypoint: &[],
    command: &["perl"],
    executables: &[Executable { path: "/usr/local/bin/perl", run }],
    base: &[],
};

/// More digits take longer than a playground waits.
const MAX_DIGITS: usize = 5000;

fn run(process: Process) -> Running {
    Box::pin(async move {
        match digits(process.operands()) {
            // It computes for up to some seconds, beside the other pods.
            Some(count) => match tokio::task::spawn_blocking(move || pi(count)).await {
                Ok(text) => {
                    process.stdout.write(format!("{text}\n").as_bytes());
                    0
                }
                Err(_) => 1,
            },
            None => {
                process.stderr.write(b"perl: only -Mbignum=bpi -wle 'print bpi(N)' is played by Portolan\n");
                2
            }
        }
    })
}

/// N of `print bpi(N)`.
fn digits(operands: &[String]) -> Option<usize> {
    let script = operands.last()?.trim().trim_end_matches(';');
    let count: usize = script.strip_prefix("print bpi(")?.strip_suffix(')')?.parse().ok()?;
    (1..=MAX_DIGITS).contains(&count).then_some(count)
}

/// Pi with that many significant digits, the last one cut off and not rounded (Rabinowitz and Wagon, "A Spigot Algorithm for
/// the Digits of Pi").
fn pi(count: usize) -> String {
    // Digits beyond the wanted ones settle carries.
    let wanted = count + 10;
    let mut remainders = vec![2_u64; wanted * 10 / 3 + 1];
    let mut found: Vec<u8> = Vec::with_capacity(wanted);
    let mut held: Vec<u8> = Vec::new();
    for _ in 0..wanted {
        let mut carry = 0;
        for index in (1..remainders.len()).rev() {
            let position = index as u64;
            let total = remainders[index] * 10 + carry * (position + 1);
            remainders[index] = total % (2 * position + 1);
            carry = total / (2 * position + 1);
        }
        let total = remainders[0] * 10 + carry;
        remainders[0] = total % 10;
        let digit = total / 10;
        // Nines wait for what follows, which may carry into them.
        if digit == 9 {
            held.push(9);
            continue;
        }
        let carries = digit == 10;
        if carries {
            held.iter_mut()
                .enumerate()
                .for_each(|(place, digit)| *digit = if place == 0 { *digit + 1 } else { 0 });
        }
        found.append(&mut held);
        held.push(u8::try_from(digit % 10).unwrap_or_default());
    }
    let text: String = found
        .iter()
        .skip_while(|digit| **digit == 0)
        .take(count)
        .map(|digit| char::from(b'0' + digit))
        .collect();
    match text.split_at_checked(1) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{whole}.{fraction}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_pi() {
        for (count, text) in [(1, "3"), (5, "3.1415"), (40, "3.141592653589793238462643383279502884197")] {
            assert_eq!(pi(count), text);
        }
        // The digits 762 to 767 are nines, which a carry could have changed.
        assert!(pi(800).ends_with("99999983729780499510597317328160963185"), "{}", pi(800));
    }

    #[test]
    fn only_the_script_of_the_documentation_is_played() {
        let operands = |script: &str| ["-Mbignum=bpi", "-wle", script].map(str::to_owned);
        assert_eq!(digits(&operands("print bpi(2000)")), Some(2000));
        assert_eq!(digits(&operands("print bpi(2000000)")), None);
        assert_eq!(digits(&operands("print 1")), None);
    }
}
