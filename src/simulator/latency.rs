//! How long answers take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::InvalidSetting;

const EXPECTED: &str = "off, a time such as 200ms, or a time and jitter such as 200ms+50ms";

/// A fixed time and a random one of at most `jitter`, added to every answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// What every answer takes.
    pub fixed: Duration,
    /// The most that chance adds.
    pub jitter: Duration,
}

impl Latency {
    /// Answers as fast as they can be made.
    pub const NONE: Self = Self { fixed: Duration::ZERO, jitter: Duration::ZERO };

    /// The same time for every answer.
    pub fn fixed(fixed: Duration) -> Self {
        Self { fixed, jitter: Duration::ZERO }
    }

    /// The time of one answer; `chance` lies in 0..=1.
    pub(super) fn sample(&self, chance: f64) -> Duration {
        self.fixed + self.jitter.mul_f64(chance)
    }
}

impl FromStr for Latency {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSetting::new("latency", text, EXPECTED);
        if text == "off" {
            return Ok(Self::NONE);
        }
        let (fixed, jitter) = text.split_once('+').unwrap_or((text, "0ms"));
        let fixed = duration(fixed).ok_or_else(invalid)?;
        let jitter = duration(jitter).ok_or_else(invalid)?;
        Ok(Self { fixed, jitter })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fixed.as_millis(), self.jitter.as_millis()) {
            (0, 0) => f.write_str("off"),
            (fixed, 0) => write!(f, "{fixed}ms"),
            (fixed, jitter) => write!(f, "{fixed}ms+{jitter}ms"),
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let millis = match text.strip_suffix("ms") {
        Some(millis) => millis.parse::<u32>().ok()?,
        None => text.strip_suffix('s')?.parse::<u32>().ok()?.checked_mul(1000)?,
    };
    Some(Duration::from_millis(millis.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_reads_back_as_written() {
        for text in ["off", "200ms", "200ms+50ms"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        assert_eq!("2s".parse::<Latency>().unwrap(), Latency::fixed(Duration::from_secs(2)));
        for text in ["", "fast", "200", "-1ms", "1ms+", "9999999999s"] {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
    }
}
