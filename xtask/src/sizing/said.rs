//! Figures as people read them: three digits that count.

/// A number that is counted.
pub(crate) fn count(number: f64) -> String {
    grouped(to_three(number.ceil()))
}

/// So many a second.
pub(crate) fn rate(number: f64) -> String {
    if number >= 100.0 || number.fract() == 0.0 { grouped(to_three(number)) } else { digits(number) }
}

/// A part of a whole.
pub(crate) fn share(of_one: f64) -> String {
    if of_one.is_finite() { format!("{} %", digits(of_one * 100.0)) } else { "more than all".into() }
}

/// Cores.
pub(crate) fn cores(number: f64) -> String {
    digits(number)
}

/// Bytes, in units of a thousand.
pub(crate) fn bytes(number: f64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut number, mut unit) = (number, 0);
    while to_three(number) >= 1_000.0 && unit + 1 < UNITS.len() {
        number /= 1_000.0;
        unit += 1;
    }
    format!("{} {}", digits(number), UNITS[unit])
}

pub(crate) fn bytes_a_second(number: f64) -> String {
    format!("{}/s", bytes(number))
}

/// A time.
pub(crate) fn seconds(number: f64) -> String {
    match number {
        _ if !number.is_finite() => "never".into(),
        _ if number < 120.0 => format!("{} s", digits(number)),
        _ if number < 7_200.0 => format!("{} min", digits(number / 60.0)),
        _ if number < 172_800.0 => format!("{} h", digits(number / 3_600.0)),
        _ => format!("{} d", digits(number / 86_400.0)),
    }
}

/// Microseconds.
pub(crate) fn micros(number: f64) -> String {
    format!("{} µs", digits(number))
}

/// Three digits that count, and no zeros after the point.
fn digits(number: f64) -> String {
    let number = to_three(number);
    if number == 0.0 {
        return "0".into();
    }
    let after = (2 - number.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{number:.after$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped_text(text)
}

fn to_three(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let unit = 10_f64.powf(number.abs().log10().floor() - 2.0);
    (number / unit).round() * unit
}

fn grouped(number: f64) -> String {
    grouped_text(&format!("{number:.0}"))
}

/// With commas between thousands.
fn grouped_text(text: &str) -> String {
    let (whole, rest) =
        text.split_once('.').map_or((text, String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let digits: Vec<char> = whole.chars().collect();
    let with = digits.iter().enumerate().flat_map(|(at, digit)| {
        let left = digits.len() - at;
        let comma = (at > 0 && left.is_multiple_of(3)).then_some(',');
        comma.into_iter().chain([*digit])
    });
    with.collect::<String>() + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        assert_eq!([0.0, 0.0512, 1.0, 12.345, 999.6].map(cores), ["0", "0.0512", "1", "12.3", "1,000"]);
        assert_eq!([2.0, 2.1, 1_234_567.0].map(count), ["2", "3", "1,230,000"]);
        assert_eq!([3.31, 100.4, 166_667.0].map(rate), ["3.31", "100", "167,000"]);
        assert_eq!([0.0, 999.6, 1_700.0, 1.2345e12].map(bytes), ["0 B", "1 kB", "1.7 kB", "1.23 TB"]);
        assert_eq!(
            [10.0, 119.0, 120.0, 7_200.0, 604_800.0].map(seconds),
            ["10 s", "119 s", "2 min", "2 h", "7 d"]
        );
        assert_eq!([0.5, f64::INFINITY].map(share), ["50 %", "more than all"]);
    }
}
