//! The library `os`: the time only (karmada pkg/util/lifted/lua/oslib_safe.go).

use jiff::{Timestamp, Zoned, tz::TimeZone};
use mlua::{Lua, Table, Value};

/// Functions `time` and `date`. Times are in UTC: the process has no time zone.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.set("time", lua.create_function(|_, fields: Option<Table>| time(fields))?)?;
    library.set(
        "date",
        lua.create_function(|lua, (format, seconds): (Option<String>, Option<i64>)| {
            date(lua, format.as_deref().unwrap_or("%c"), seconds)
        })?,
    )?;
    Ok(library)
}

fn time(fields: Option<Table>) -> mlua::Result<i64> {
    let Some(fields) = fields else { return Ok(Timestamp::now().as_second()) };
    let field = |name: &str, default: i64| -> mlua::Result<i64> {
        Ok(fields.get::<Option<i64>>(name)?.unwrap_or(default))
    };
    let invalid = |error: jiff::Error| mlua::Error::RuntimeError(format!("os.time: {error}"));
    let small = |value: i64| i8::try_from(value).unwrap_or(-1);
    let year = i16::try_from(field("year", -1)?).unwrap_or(-1);
    let date = jiff::civil::DateTime::new(
        year,
        small(field("month", -1)?),
        small(field("day", -1)?),
        small(field("hour", 12)?),
        small(field("min", 0)?),
        small(field("sec", 0)?),
        0,
    );
    let zoned = date.and_then(|date| date.to_zoned(TimeZone::UTC)).map_err(invalid)?;
    Ok(zoned.timestamp().as_second())
}

fn date(lua: &Lua, format: &str, seconds: Option<i64>) -> mlua::Result<Value> {
    let invalid = |error: jiff::Error| mlua::Error::RuntimeError(format!("os.date: {error}"));
    let at = seconds.map_or_else(|| Ok(Timestamp::now()), Timestamp::from_second).map_err(invalid)?;
    let at: Zoned = at.to_zoned(TimeZone::UTC);
    let format = format.trim_start_matches('!');
    if format.starts_with("*t") {
        let fields = lua.create_table()?;
        let numbers = [
            ("year", i64::from(at.year())),
            ("month", i64::from(at.month())),
            ("day", i64::from(at.day())),
            ("hour", i64::from(at.hour())),
            ("min", i64::from(at.minute())),
            ("sec", i64::from(at.second())),
            ("wday", i64::from(at.weekday().to_sunday_one_offset())),
            ("yday", i64::from(at.day_of_year())),
        ];
        for (name, number) in numbers {
            fields.set(name, number)?;
        }
        fields.set("isdst", false)?;
        return Ok(Value::Table(fields));
    }
    let format =
        format.replace("%c", "%d %b %y %H:%M %Z").replace("%x", "%d/%m/%y").replace("%X", "%H:%M:%S");
    let text = jiff::fmt::strtime::format(&format, &at).map_err(invalid)?;
    Ok(Value::String(lua.create_string(text)?))
}
