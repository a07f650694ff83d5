//! Sizes and durations as people write them: `64MiB`, `1h30m`.

use std::time::Duration;

/// Bytes of `64MiB`, `500KB`, `1000`; upper and lower case are the same, a blank may stand before the unit.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_rest(text)?;
    let bytes = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// `30s`, `15m`, `1h30m`, `500ms`, `2d`, `0s`; every number has its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    loop {
        let (number, after) = number_and_rest(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let millis: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        sum = sum.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        if after.is_empty() {
            return Some(sum);
        }
        rest = after;
    }
}

fn number_and_rest(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("12B", 12),
            ("500KB", 500_000),
            ("500 kB", 500_000),
            ("1KiB", 1024),
            ("64MiB", 67_108_864),
            ("64mib", 67_108_864),
            ("2GB", 2_000_000_000),
            ("3GiB", 3_221_225_472),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "+1", "1.5MiB", "1M", "1 2", "1MiB2", "18446744073709551616", "18446744073GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("30s", 30_000),
            ("15m", 900_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "0",
            "30",
            "s",
            "30 sec",
            "-1s",
            "1.5h",
            "1h30",
            "1hm",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
