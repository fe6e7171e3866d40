//! Line discipline of a terminal for built-in programs: echo, line breaks, Ctrl-C and Ctrl-D.
//!
//! Pure. `kubectl attach --tty` puts the local terminal into raw mode, so the container's side echoes and interprets
//! control keys.

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;

/// Effect of typed keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// Bytes for the program.
    pub input: Vec<u8>,
    /// Bytes to echo.
    pub echo: Vec<u8>,
    /// Ctrl-C was typed.
    pub interrupt: bool,
    /// Ctrl-D was typed: the end of the input.
    pub end: bool,
}

/// Interprets keys; keys after Ctrl-C or Ctrl-D are dropped.
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
    fn effects_of_keys() {
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
