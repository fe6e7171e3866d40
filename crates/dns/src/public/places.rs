//! Where a client is, by a database of places in MaxMind's format, and which regions are nearest to it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;
use std::{fmt, fs, io};

use arc_swap::ArcSwap;
use maxminddb::{MaxMindDbError, Reader};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::name::relative_wire;

/// Most octets of a database. It is kept in memory.
const MAX_OCTETS: u64 = 512 << 20;

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlacesError {
    /// The file cannot be read.
    #[error("cannot read the database of places {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Cause.
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "the database of places {file} has {octets} octets; at most {MAX_OCTETS} are read: use one with cities or countries only"
    )]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        octets: u64,
    },
    /// The content is damaged, or something else.
    #[error("{file} is no database in MaxMind's format, or damaged: {source}; download it again")]
    Format {
        /// The file.
        file: String,
        /// Cause.
        source: Box<MaxMindDbError>,
    },
}

/// A database in a file, such as GeoLite2 City or GeoLite2 Country. It is read again when the file changes.
pub struct PlaceDatabase {
    file: PathBuf,
    reader: ArcSwap<Reader<Vec<u8>>>,
    read: Mutex<Option<(SystemTime, u64)>>,
}

impl fmt::Debug for PlaceDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaceDatabase").field("file", &self.file).finish_non_exhaustive()
    }
}

impl PlaceDatabase {
    /// Reads and checks a database. Blocks for as long as that takes, a second for large ones.
    ///
    /// # Errors
    /// [`PlacesError`] with the file and the cause.
    pub fn open(file: &Path) -> Result<Arc<Self>, PlacesError> {
        let version = version(file)?;
        let reader = ArcSwap::from_pointee(read(file)?);
        Ok(Arc::new(Self { file: file.to_owned(), reader, read: Mutex::new(Some(version)) }))
    }

    /// Reads the file again if it has changed; returns whether it has. The database stays as it is on an error. Blocks as
    /// [`Self::open`] does.
    ///
    /// # Errors
    /// [`PlacesError`] with the file and the cause, once for each state of the file.
    pub fn refresh(&self) -> Result<bool, PlacesError> {
        let found = version(&self.file)?;
        let mut known = self.read.lock();
        if *known == Some(found) {
            return Ok(false);
        }
        *known = Some(found);
        self.reader.store(Arc::new(read(&self.file)?));
        Ok(true)
    }

    /// The place of an address, and how many of its bits the database tells apart.
    fn find(&self, address: IpAddr) -> (Option<ClientPlace>, u8) {
        let reader = self.reader.load();
        let Ok(found) = reader.lookup(address) else { return (None, 0) };
        // A network of the other family has every address of this one.
        let network = found.network().ok().filter(|network| network.is_ipv4() == address.is_ipv4());
        let bits = network.map_or(0, |network| network.prefix());
        let entry: Option<Entry<'_>> = found.decode().ok().flatten();
        (entry.map(ClientPlace::from), bits)
    }
}

fn version(file: &Path) -> Result<(SystemTime, u64), PlacesError> {
    let failed = |source| PlacesError::Read { file: file.display().to_string(), source };
    let found = fs::metadata(file).map_err(failed)?;
    if found.len() > MAX_OCTETS {
        return Err(PlacesError::TooLarge { file: file.display().to_string(), octets: found.len() });
    }
    Ok((found.modified().map_err(failed)?, found.len()))
}

fn read(file: &Path) -> Result<Reader<Vec<u8>>, PlacesError> {
    let name = || file.display().to_string();
    let content = fs::read(file).map_err(|source| PlacesError::Read { file: name(), source })?;
    let failed = |source| PlacesError::Format { file: name(), source: Box::new(source) };
    let reader = Reader::from_source(content).map_err(failed)?;
    reader.verify().map_err(failed)?;
    Ok(reader)
}

/// What is read of an entry: the fields that GeoIP2, GeoLite2 and DB-IP have in common.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    country: Option<Country<'a>>,
    #[serde(borrow, default)]
    continent: Option<Continent<'a>>,
    #[serde(default)]
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Country<'a> {
    #[serde(borrow, default)]
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Continent<'a> {
    #[serde(borrow, default)]
    code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// A code of two letters in upper case.
type Code = [u8; 2];

fn code(text: &str) -> Option<Code> {
    text.to_ascii_uppercase().as_bytes().try_into().ok()
}

#[derive(Debug, Clone, Copy)]
struct ClientPlace {
    country: Option<Code>,
    continent: Option<Code>,
    coordinates: Option<Coordinates>,
}

impl From<Entry<'_>> for ClientPlace {
    fn from(entry: Entry<'_>) -> Self {
        let location = entry.location.and_then(|location| location.latitude.zip(location.longitude));
        Self {
            country: entry.country.and_then(|country| code(country.iso_code?)),
            continent: entry.continent.and_then(|continent| code(continent.code?)),
            coordinates: location.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude)),
        }
    }
}

/// A point on the earth, as the direction from its centre. Of two points, the one with the greater product is nearer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coordinates([f64; 3]);

impl Coordinates {
    /// From degrees; `None` outside of -90 to 90 and -180 to 180.
    fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)) {
            return None;
        }
        let (north, east) = (latitude.to_radians(), longitude.to_radians());
        Some(Self([north.cos() * east.cos(), north.cos() * east.sin(), north.sin()]))
    }

    fn nearness(self, other: Self) -> f64 {
        self.0.iter().zip(other.0).map(|(one, other)| one * other).sum()
    }
}

/// The text is not two numbers of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be latitude and longitude in degrees, such as 50.11,8.68")]
pub struct CoordinatesError;

impl FromStr for Coordinates {
    type Err = CoordinatesError;

    fn from_str(text: &str) -> Result<Self, CoordinatesError> {
        let numbers = text.split_once(',').and_then(|(north, east)| {
            Some((north.trim().parse::<f64>().ok()?, east.trim().parse::<f64>().ok()?))
        });
        numbers.and_then(|(north, east)| Self::new(north, east)).ok_or(CoordinatesError)
    }
}

/// Which clients are near to a region.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedRegion {
    label: Box<[u8]>,
    countries: Vec<Code>,
    continents: Vec<Code>,
    coordinates: Option<Coordinates>,
}

impl PlacedRegion {
    /// A region, a label of domain names, with countries (ISO 3166-1), continents (AF, AN, AS, EU, NA, OC, SA), and its place.
    /// What is no code of two letters is left out.
    pub fn new(
        region: &str,
        countries: &[String],
        continents: &[String],
        coordinates: Option<Coordinates>,
    ) -> Self {
        let codes = |texts: &[String]| texts.iter().filter_map(|text| code(text)).collect();
        Self {
            label: relative_wire(&region.to_ascii_lowercase()).into(),
            countries: codes(countries),
            continents: codes(continents),
            coordinates,
        }
    }
}

/// Regions with a database of places.
#[derive(Debug, Clone)]
pub struct Places {
    /// The database.
    pub database: Arc<PlaceDatabase>,
    /// The regions.
    pub regions: Vec<PlacedRegion>,
}

impl Places {
    /// The first value that `of` has for a region, as a label in wire format, the nearest region first: those with the country of the
    /// client, then those with its continent, then by distance. Returns also how many bits of the address decided.
    pub(crate) fn nearest<T>(&self, address: IpAddr, of: impl Fn(&[u8]) -> Option<T>) -> (Option<T>, u8) {
        let (place, bits) = self.database.find(address);
        let Some(place) = place else { return (None, bits) };
        let has = |codes: &[Code], code: Option<Code>| code.is_some_and(|code| codes.contains(&code));
        let rank = |region: &PlacedRegion| match (place.coordinates, region.coordinates) {
            _ if has(&region.countries, place.country) => Some((2, 0.0)),
            _ if has(&region.continents, place.continent) => Some((1, 0.0)),
            (Some(client), Some(region)) => Some((0, client.nearness(region))),
            _ => None,
        };
        // With equal ranks, as two regions with one country have, the nearer one is before the other.
        let distance = |region: &PlacedRegion| match (place.coordinates, region.coordinates) {
            (Some(client), Some(region)) => client.nearness(region),
            _ => f64::MIN,
        };
        let mut best: Option<((i32, f64, f64), T)> = None;
        for region in &self.regions {
            let Some((class, nearness)) = rank(region) else { continue };
            let rank = (class, nearness, distance(region));
            if best.as_ref().is_some_and(|(other, _)| *other >= rank) {
                continue;
            }
            if let Some(value) = of(&region.label) {
                best = Some((rank, value));
            }
        }
        (best.map(|(_, value)| value), bits)
    }
}

#[cfg(test)]
mod tests;
