use std::collections::BTreeSet;

use super::*;
use chrono::TimeZone;
use chrono_tz::America::{New_York, Sao_Paulo};
use chrono_tz::Asia::Shanghai;
use chrono_tz::Australia::Lord_Howe;
use chrono_tz::Europe::Berlin;
use proptest::prelude::*;

fn schedule(text: &str, zone: Tz) -> Schedule {
    Schedule::parse(text, zone).unwrap_or_else(|error| panic!("{error}"))
}

fn time(text: &str) -> Timestamp {
    Timestamp::from_millis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

/// The next runs as clocks in the zone show them.
fn runs(text: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(text, zone);
    let next = |after: &Timestamp| schedule.next(*after, Spread::none());
    let runs = std::iter::successors(next(&time(after)), next).take(count);
    let shown = |run: Timestamp| zone.timestamp_millis_opt(run.millis()).unwrap();
    runs.map(|run| shown(run).format("%a %d %H:%M%z").to_string()).collect()
}

/// One message a line; what stands in the first backticks is the text that gets it.
const MISTAKES: &str = "
`0 9 * * 8`: weekday 8 does not exist
`60 * * * *`: minute 60 is out of range; use 0-59
`0 24 * * *`: hour 24 is out of range; use 0-23
`0 0 0 * *`: day 0 is out of range; use 1-31
`0 0 1 13 *`: month 13 is out of range; use 1-12 or jan-dec
`61 0 9 * * *`: second 61 is out of range; use 0-59
`0 0 9 * * ? 2200`: year 2200 is out of range; use 1970-2100
`0 9 * * moon`: unknown weekday `moon`; use names such as mon-fri
`0 9 * febr-juni *`: unknown month `juni`; use 1-12 or jan-dec
`0 9 mon * *`: unknown day `mon`; use 1-31
`0 ? * * *`: unknown hour `?`; use 0-23
`0 22-2 * * *`: hour range `22-2` runs backwards; write `22-23,0-2`
`0 22-3/2 * * *`: hour range `22-3` runs backwards; write `22,0,2`
`0 0 31-2 * *`: day range `31-2` runs backwards; write `31,1-2`
`0 0 1 Nov-February *`: month range `Nov-February` runs backwards; write `nov-dec,jan-feb`
`0 0 * * fri-mon`: weekday range `fri-mon` runs backwards; write `fri-sat,sun-mon`
`0 0 0 1 1 ? 2030-2028`: year range `2030-2028` runs backwards; write `2028-2030`
`*/0 * * * *`: minute step 0 never moves on; use 1 or more
`*/90 * * * *`: minute step 90 is longer than the field; write `@every 90m`
`*/x * * * *`: minute step `x` is not a number that fits the field
`0 0 1 */20 *`: month step `20` is not a number that fits the field
`0, 30 * * *`: the minute field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`
`-5 * * * *`: the minute field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`
`0 0 L * *`: day `L` is not supported; L, W, # and H are other programs' signs
`0 0 15W * *`: day `15W` is not supported; L, W, # and H are other programs' signs
`H 0 * * *`: minute `H` is not supported; L, W, # and H are other programs' signs
`0 0 * * 5#2`: weekday `5#2` is not supported; L, W, # and H are other programs' signs
`0 0 9 * * 1-5`: weekday numbers are refused beside seconds, because crontab counts from sunday = 0 and quartz from sunday = 1; write names such as `mon-fri`
`0 0 30 2 *`: 30 February does not exist
`0 0 31 4,6 *`: 31 April does not exist
`0 0 30 feb mon`: 30 February does not exist
`0 0 0 29 2 ? 2023`: no such time comes between 1970 and 2100
`0 9 * *`: a line has 5 fields (minute hour day month weekday), 6 with the second first or 7 with the year last, but this one has 4
`hourly`: did you mean `@hourly`?
`every 30m`: did you mean `@every 30m`?
`1h 30m`: did you mean `@every 1h 30m`?
`CRON_TZ=Asia/Tokyo 0 9 * * *`: the time zone has a key of its own, `timezone`
`@reboot`: a feed cannot wait for a reboot; write `@hourly` or `@every 30m`
`@fortnightly`: unknown name `@fortnightly`; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually and @every, as in `@every 30m`
`@daily 9`: `@daily` stands alone; remove what follows it
`@every`: the period is missing; write for example `@every 30m`
`@every 30`: `30` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 30min`: `30min` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 1.5h`: `1.5h` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 0s`: a period is at least 1s and at most 366d
`@every 367d`: a period is at least 1s and at most 366d
`@every 99999999999999999999d`: a period is at least 1s and at most 366d";

#[test]
fn mistakes_get_a_sentence() {
    let message = |text: &str| Schedule::parse(text, Tz::UTC).unwrap_err().to_string();
    for line in MISTAKES.lines().skip(1) {
        assert_eq!(message(line.split('`').nth(1).unwrap()), line);
    }
    let empty = "the schedule is empty; write for example `@hourly` or `0 9 * * *`";
    assert_eq!(message(" \n"), empty);
    let long = message(&"x\n".repeat(500));
    assert!(long.len() < 300 && !long.contains('\n'), "{long}");
}

#[test]
fn text_comes_back() {
    for text in ["@Hourly", "@every  1h30m", "*/5 0-6/2,22 1,15 jan-mar 0-7", "0 0 9 ? * mon"] {
        assert_eq!(schedule(&format!(" {text}\n"), Tz::UTC).to_string(), text);
    }
    assert_ne!(schedule("@daily", Berlin), schedule("@daily", Tz::UTC));
    let shown = schedule("@every 5m", Berlin).local(time("2025-03-30T01:00:00Z"));
    assert_eq!(shown, "2025-03-30 03:00:00 +02:00");
}

#[test]
fn weekdays_are_those_of_crontab() {
    let lines = "0 Sun\n7 Sun\n1 Mon\n6 Sat\n1-5 Mon Tue Wed Thu Fri\n5-7 Sun Fri Sat\n\
                 fri-sun Sun Fri Sat\n7-2 Sun Mon Tue\nsun-TUES Sun Mon Tue\nWednesday,6 Wed Sat\n\
                 mon/2 Sun Mon Wed Fri\n*/2 Sun Tue Thu Sat\n0-7 Sun Mon Tue Wed Thu Fri Sat";
    for (field, days) in lines.lines().filter_map(|line| line.split_once(' ')) {
        // 2026-01-04 is a Sunday.
        let found = runs(&format!("0 9 * * {field}"), Tz::UTC, "2026-01-04T00:00:00Z", 7);
        let week = found.iter().take_while(|run| &run[4..] < "11");
        assert_eq!(week.map(|run| &run[..3]).collect::<Vec<_>>().join(" "), days, "{field}");
    }
    let six = schedule("15 30 9 * * mon-tue", Tz::UTC);
    let monday = six.next(time("2026-01-02T00:00:00Z"), Spread::none());
    assert_eq!(monday, Some(time("2026-01-05T09:30:15Z")));
    let seven = runs("0 0 9 5 1 ? 2026-2027", Tz::UTC, "2026-01-01T00:00:00Z", 9);
    assert_eq!(seven, ["Mon 05 09:00+0000", "Tue 05 09:00+0000"]);
}

#[test]
fn day_and_weekday_are_ored_in_crontab_lines_only() {
    let days = |text: &str| {
        let runs = runs(text, Tz::UTC, "2026-02-01T12:00:00Z", 4);
        runs.iter().map(|run| run[..6].to_owned()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(days("0 0 13 * 5"), "Fri 06, Fri 13, Fri 20, Fri 27");
    assert_eq!(days("0 0 10 * 5"), "Fri 06, Tue 10, Fri 13, Fri 20");
    assert_eq!(days("0 0 */2 * 5"), "Fri 13, Fri 27, Fri 13, Fri 27");
    assert_eq!(days("0 0 10 * ?"), "Tue 10, Tue 10, Fri 10, Sun 10");
    assert_eq!(days("0 0 0 13 * fri"), "Fri 13, Fri 13, Fri 13, Fri 13");
}

#[test]
fn a_time_left_out_in_spring_runs_once_at_the_end_of_the_gap() {
    let found = runs("30 2 * * *", Berlin, "2025-03-29T00:00:00Z", 3);
    assert_eq!(found, ["Sat 29 02:30+0100", "Sun 30 03:00+0200", "Mon 31 02:30+0200"]);
    let found = runs("*/20 2,3 * * *", New_York, "2025-03-09T06:00:00Z", 4);
    let end = ["Sun 09 03:00-0400", "Sun 09 03:20-0400", "Sun 09 03:40-0400", "Mon 10 02:00-0400"];
    assert_eq!(found, end);
    let found = runs("@daily", Sao_Paulo, "2018-11-03T12:00:00Z", 2);
    assert_eq!(found, ["Sun 04 01:00-0200", "Mon 05 00:00-0200"]);
    let found = runs("@daily", Shanghai, "2025-03-29T12:00:00Z", 2);
    assert_eq!(found, ["Sun 30 00:00+0800", "Mon 31 00:00+0800"]);
    let found = runs("@hourly", Berlin, "2025-03-30T00:00:00Z", 2);
    assert_eq!(found, ["Sun 30 03:00+0200", "Sun 30 04:00+0200"]);
    let found = runs("10 2 * * *", Lord_Howe, "2025-10-04T12:00:00Z", 2);
    assert_eq!(found, ["Sun 05 02:30+1100", "Mon 06 02:10+1100"]);
}

#[test]
fn a_fixed_time_that_autumn_repeats_runs_once() {
    let found = runs("30 1 * * *", New_York, "2025-11-02T00:00:00Z", 2);
    assert_eq!(found, ["Sun 02 01:30-0400", "Mon 03 01:30-0500"]);
    let found = runs("30 1 * * *", New_York, "2025-11-02T06:10:00Z", 1);
    assert_eq!(found, ["Mon 03 01:30-0500"]);
    let found = runs("30 23 * * *", Sao_Paulo, "2018-02-17T12:00:00Z", 2);
    assert_eq!(found, ["Sat 17 23:30-0200", "Sun 18 23:30-0300"]);
}

#[test]
fn running_through_the_day_leaves_no_hour_of_autumn_out() {
    for (text, zone, from, minutes, count) in [
        ("*/30 * * * *", New_York, "2025-11-02T03:00:00Z", 30, 12),
        ("@hourly", Berlin, "2025-10-25T20:00:00Z", 60, 12),
        ("0 */5 * * * *", Berlin, "2025-10-25T23:50:00Z", 5, 60),
        ("*/30 */1 * * *", Sao_Paulo, "2018-02-17T20:00:00Z", 30, 20),
        ("*/30 * * * *", Lord_Howe, "2025-04-05T10:00:00Z", 30, 20),
    ] {
        let mut last = time(from);
        for _ in 0..count {
            let next = schedule(text, zone).next(last, Spread::none()).unwrap();
            assert_eq!(next.millis() - last.millis(), minutes * 60_000, "{text} {zone}");
            last = next;
        }
    }
    let found = runs("0 0/2 * * *", Berlin, "2025-10-25T23:00:00Z", 2);
    assert_eq!(found, ["Sun 26 02:00+0200", "Sun 26 02:00+0100"]);
}

#[test]
fn rare_dates_come_and_end() {
    let leap = schedule("0 0 29 feb ?", Tz::UTC);
    let next = leap.next(time("2025-01-01T00:00:00Z"), Spread::none());
    assert_eq!(next, Some(time("2028-02-29T00:00:00Z")));
    assert_eq!(leap.next(time("2096-02-29T00:00:00Z"), Spread::none()), None);
    let far = Timestamp::from_millis(i64::MAX);
    assert_eq!(schedule("@every 1s", Tz::UTC).next(far, Spread::none()), None);
    assert_eq!(schedule("@daily", Tz::UTC).next(far, Spread::none()), None);
}

#[test]
fn every_is_aligned_to_the_epoch() {
    let found = runs("@every 1h30m", Tz::UTC, "1970-01-01T00:00:00.001Z", 2);
    assert_eq!(found, ["Thu 01 01:30+0000", "Thu 01 03:00+0000"]);
    assert_eq!(runs("@every 1d 1s", Tz::UTC, "1969-12-31T23:59:59Z", 1), ["Thu 01 00:00+0000"]);
    let (every, spread) = (schedule("@every 10m", Tz::UTC), Spread::of("lwn"));
    let first = every.next(time("2026-01-01T00:00:00Z"), spread).unwrap();
    let second = every.next(first, spread).unwrap();
    assert_eq!(second.millis() - first.millis(), 600_000);
}

#[test]
fn the_spread_keeps_its_bounds_and_is_even() {
    let start = time("2026-01-01T00:00:00Z");
    let before = Timestamp::from_millis(start.millis() - 1);
    let named = [("@hourly", 3600), ("@yearly", 3600), ("@every 1d", 3600), ("@every 10m", 600)];
    let exact = [("@every 1s", 1), ("0 0 * * *", 60), ("0 0 0 * * *", 1)];
    for (text, limit) in named.into_iter().chain(exact) {
        let schedule = schedule(text, Tz::UTC);
        let mut seconds = std::collections::BTreeMap::new();
        for number in 0..1000 {
            let spread = Spread::of(&format!("feed-{number}"));
            let run = schedule.next(before, spread).unwrap();
            let shift = run.millis() - start.millis();
            assert!(shift % 1000 == 0 && (0..limit * 1000).contains(&shift), "{text}: {shift}");
            // Its own time has passed, its shifted time has not.
            assert!(shift == 0 || schedule.next(start, spread) == Some(run), "{text}");
            *seconds.entry(run).or_insert(0) += 1;
        }
        let most = seconds.values().max().copied().unwrap_or(0);
        assert!(limit < 3600 || most <= 10, "{text}: {most} of 1,000 in one second");
        assert!(limit < 60 || seconds.len() > 59, "{text}");
    }
    let lwn = schedule("@hourly", Tz::UTC).next(before, Spread::of("lwn"));
    assert_eq!(lwn, Some(time("2026-01-01T00:45:52Z")), "a new version must not move feeds");
}

#[test]
fn no_second_of_an_hour_holds_many_of_a_thousand_feeds() {
    let hourly = schedule("@hourly", Tz::UTC);
    let start = time("2026-11-25T12:00:00Z");
    let mut seconds = std::collections::BTreeMap::new();
    for n in 0..1000 {
        let next = hourly.next(start, Spread::of(&format!("feed-{n}"))).unwrap();
        *seconds.entry((next.millis() - start.millis()) / 1000).or_insert(0) += 1;
    }
    let most = seconds.values().max().unwrap();
    assert!(*most <= 50 && seconds.len() > 700, "{most} in one second, {} seconds in use", seconds.len());
}

#[test]
fn waiting_after_failures_doubles_up_to_a_day() {
    let minutes = |count, period: u64| after_failure(count, Duration::from_mins(period), "lwn").as_secs_f64() / 60.0;
    let small = [(0, 0, 1.0), (1, 0, 1.0), (2, 1, 2.0), (1, 60, 60.0), (3, 60, 240.0)];
    let large = [(11, 1, 1024.0), (12, 1, 1440.0), (u32::MAX, 60, 1440.0), (1, 9999, 1440.0)];
    for (count, period, wait) in small.into_iter().chain(large) {
        let found = minutes(count, period);
        let within = (wait * 0.9..=f64::min(wait * 1.1, 1440.0)).contains(&found);
        assert!(within, "{count}: {found}");
    }
    let waits = (0..1000).map(|n| after_failure(40, LONGEST_WAIT, &n.to_string()));
    assert!(waits.collect::<BTreeSet<_>>().len() > 990);
}

proptest! {
    #[test]
    fn the_next_run_is_later_and_none_is_skipped(
        text in prop::sample::select(vec![
            "@hourly", "@daily", "@every 7m", "30 2 * * *", "*/7 1-3 * * *", "0 0 13 * 5",
            "15 */2 * * *", "0 0 29 2 *", "17 */20 * * * *", "59 59 23 ? * sun",
        ]),
        zone in prop::sample::select(vec![Berlin, New_York, Sao_Paulo, Shanghai, Lord_Howe]),
        after in 0..3_900_000_000_000_i64,
        part in 0.0..1.0_f64,
        id in "[a-z]{0,3}",
    ) {
        let schedule = schedule(text, zone);
        let spread = if id.is_empty() { Spread::none() } else { Spread::of(&id) };
        let next = |millis| schedule.next(Timestamp::from_millis(millis), spread).unwrap().millis();
        let run = next(after);
        prop_assert!(run > after);
        let between = Duration::from_millis(u64::try_from(run - after - 1).unwrap()).mul_f64(part);
        prop_assert_eq!(next(after + i64::try_from(between.as_millis()).unwrap()), run);
    }
}
