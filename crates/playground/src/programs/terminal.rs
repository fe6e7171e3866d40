//! What a terminal does to the keys that are typed: echo, line breaks, and the keys that end things.
//!
//! Pure, and only as much as a viewer needs who attached with `--tty`: their own terminal is in raw mode, so the
//! container's side must echo and must understand Ctrl-C and Ctrl-D.

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;

/// What typed keys amount to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// Bytes for the program.
    pub input: Vec<u8>,
    /// Bytes that the viewer sees.
    pub echo: Vec<u8>,
    /// Ctrl-C: the program is to be interrupted.
    pub interrupt: bool,
    /// Ctrl-D: the input is at its end.
    pub end: bool,
}

/// Interprets keys; what follows Ctrl-C or Ctrl-D is dropped.
pub fn typed(keys: &[u8]) -> Typed {
    let mut typed = Typed::default();
    for key in keys {
        match *key {
            INTERRUPT => {
                typed.echo.extend_from_slice(b"^C");
                typed.interrupt = true;
                return typed;
            }
            END_OF_INPUT => {
                typed.end = true;
                return typed;
            }
            b'\r' | b'\n' => {
                typed.input.push(b'\n');
                typed.echo.extend_from_slice(b"\r\n");
            }
            other => {
                typed.input.push(other);
                typed.echo.push(other);
            }
        }
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_what_they_do() {
        let cases: [(&str, &[u8], Typed); 3] = [
            (
                "enter sends a line",
                b"ls\r",
                Typed { input: b"ls\n".into(), echo: b"ls\r\n".into(), ..Typed::default() },
            ),
            (
                "control C interrupts",
                b"a\x03b",
                Typed { input: b"a".into(), echo: b"a^C".into(), interrupt: true, end: false },
            ),
            (
                "control D ends the input",
                b"a\x04b",
                Typed { input: b"a".into(), echo: b"a".into(), interrupt: false, end: true },
            ),
        ];
        for (name, keys, want) in cases {
            assert_eq!(typed(keys), want, "{name}");
        }
    }
}
