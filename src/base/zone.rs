//! The time zone of this machine: `TZ`, else `/etc/localtime`.
//!
//! It is read once, when a configuration with local times is compiled. Rules of POSIX (`CET-1CEST,M3.5.0,M10.5.0/3`)
//! and names of the zone database (`Europe/Paris`) both work in `TZ`.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time zone with all its changes.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

/// What clocks show in a zone at a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalTime {
    /// Seconds that they are ahead of UTC.
    pub(crate) ahead: i64,
    /// The short name: `CEST`.
    pub(crate) name: Cow<'static, str>,
}

impl Zone {
    /// That of this machine. Without one, or with one that does not exist, UTC: as in glibc.
    pub(crate) fn of_machine() -> Self {
        Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    /// A zone by rules of POSIX; `None`: they are none.
    #[cfg(test)]
    pub(crate) fn by_rules(rules: &str) -> Option<Self> {
        TimeZone::posix(rules).ok().map(Self)
    }

    /// What clocks show `seconds` after the beginning of 1970. Outside of the years that the zone
    /// is known for, UTC.
    pub(crate) fn at(&self, seconds: i64) -> LocalTime {
        let Ok(time) = Timestamp::from_second(seconds) else {
            return LocalTime::UTC;
        };
        let info = self.0.to_offset_info(time);
        LocalTime {
            ahead: info.offset().seconds().into(),
            name: info.abbreviation().to_owned().into(),
        }
    }
}

impl LocalTime {
    const UTC: Self = Self {
        ahead: 0,
        name: Cow::Borrowed("UTC"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_summers_and_winters() {
        let zone = Zone::by_rules("CET-1CEST,M3.5.0,M10.5.0/3").expect("rules");
        // The last second of winter, and the first one of summer, in 2024.
        let winter = LocalTime {
            ahead: 3_600,
            name: "CET".into(),
        };
        let summer = LocalTime {
            ahead: 7_200,
            name: "CEST".into(),
        };
        assert_eq!(zone.at(1_711_846_799), winter);
        assert_eq!(zone.at(1_711_846_800), summer);
        assert_eq!(zone.at(i64::MAX), LocalTime::UTC);
        assert_eq!(zone.at(i64::MIN), LocalTime::UTC);
    }

    #[test]
    fn rules_that_are_none_are_no_zone() {
        assert!(Zone::by_rules("somewhere").is_none());
    }
}
