//! Amounts of memory and of processors, read from core/v1's quantities without a loss
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use std::fmt;

use longshore_crds::Quantity;

/// An amount of memory or of a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// An amount of processors, in thousandths of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliCpu(pub u64);

/// Why a quantity is none of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AmountError {
    #[error("\"{0}\" is not a quantity, such as 2, \"0.5\", 500m, 64Mi or 1G")]
    NotAQuantity(String),
    #[error("{0} is more than anything has")]
    TooLarge(String),
    #[error("{0} is not a whole number")]
    NotWhole(String),
}

impl Bytes {
    /// The bytes of a quantity; parts of a byte count as a whole one.
    pub(super) fn parse(quantity: &Quantity) -> Result<Self, AmountError> {
        in_units_of(&quantity.0, 1).map(|amount| Self(amount.up))
    }
}

impl MilliCpu {
    /// The processors of a quantity; parts of a thousandth count as a whole one, as in core/v1.
    pub(super) fn parse(quantity: &Quantity) -> Result<Self, AmountError> {
        in_units_of(&quantity.0, 1000).map(|amount| Self(amount.up))
    }
}

/// A number of things that cannot be divided.
pub(super) fn count(quantity: &Quantity) -> Result<u64, AmountError> {
    match in_units_of(&quantity.0, 1)? {
        Amount { up, is_exact: true } => Ok(up),
        Amount { .. } => Err(AmountError::NotWhole(quantity.0.clone())),
    }
}

struct Amount {
    /// The amount, rounded up.
    up: u64,
    is_exact: bool,
}

/// How much a quantity is, in units of which so many are one.
fn in_units_of(text: &str, units_in_one: u128) -> Result<Amount, AmountError> {
    let not_a_quantity = || AmountError::NotAQuantity(text.to_owned());
    let too_large = || AmountError::TooLarge(text.to_owned());
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(not_a_quantity());
    }
    let fraction = fraction.trim_end_matches('0');
    let digits: u128 = match format!("{whole}{fraction}").trim_start_matches('0') {
        "" => 0,
        digits => digits.parse().map_err(|_| too_large())?,
    };
    let (factor, power_of_ten) = factor_of(suffix).ok_or_else(not_a_quantity)?;
    let power_of_ten = power_of_ten - i64::try_from(fraction.len()).map_err(|_| too_large())?;
    let scaled =
        digits.checked_mul(factor).and_then(|digits| digits.checked_mul(units_in_one)).ok_or_else(too_large)?;
    let (up, is_exact) = match (scaled, power_of_ten) {
        (0, _) => (0, true),
        (_, 0..) => {
            let power = u32::try_from(power_of_ten).ok().and_then(|power| 10_u128.checked_pow(power));
            (power.and_then(|power| scaled.checked_mul(power)).ok_or_else(too_large)?, true)
        }
        // What is smaller than the smallest power that fits is a part of a unit in any case.
        (_, _) => match u32::try_from(-power_of_ten).ok().and_then(|power| 10_u128.checked_pow(power)) {
            Some(power) => (scaled.div_ceil(power), scaled.is_multiple_of(power)),
            None => (1, false),
        },
    };
    let up = u64::try_from(up).ok().filter(|up| i64::try_from(*up).is_ok()).ok_or_else(too_large)?;
    Ok(Amount { up, is_exact })
}

/// What a suffix multiplies by: a factor, and a power of ten.
fn factor_of(suffix: &str) -> Option<(u128, i64)> {
    let binary = |power: u32| Some((1_u128 << (10 * power), 0));
    let decimal = |power: i64| Some((1, power));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let exponent: i64 = exponent.parse().ok()?;
            decimal(exponent.clamp(-64, 64))
        }
    }
}

/// In the largest binary unit that it is a whole number of: `64Mi`.
impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.0;
        let mut units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
        let mut unit = units.next().unwrap_or_default();
        while amount != 0
            && amount.is_multiple_of(1024)
            && let Some(larger) = units.next()
        {
            amount /= 1024;
            unit = larger;
        }
        write!(formatter, "{amount}{unit}")
    }
}

/// `2`, or `500m` where it is no whole number of processors.
impl fmt::Display for MilliCpu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            whole if whole.is_multiple_of(1000) => write!(formatter, "{}", whole / 1000),
            part => write!(formatter, "{part}m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity(text.to_owned())
    }

    #[test]
    fn memory_is_read_to_the_byte() {
        for (text, bytes) in [
            ("64Mi", 64 << 20),
            ("0.5Gi", 512 << 20),
            ("1.5Ki", 1536),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("129E-1", 13),
            ("128974848000m", 128_974_848),
            ("1500m", 2),
            ("1n", 1),
            ("1e-99", 1),
            (".5k", 500),
            ("5.", 5),
            ("007", 7),
            ("0e99", 0),
            ("7Ei", 7 << 60),
            ("0.1Gi", 107_374_183),
        ] {
            assert_eq!(Bytes::parse(&quantity(text)), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn processors_are_read_to_the_thousandth() {
        for (text, milli) in [("2", 2000), ("0.5", 500), ("500m", 500), ("1e-1", 100), ("0.0005", 1), ("100u", 1)] {
            assert_eq!(MilliCpu::parse(&quantity(text)), Ok(MilliCpu(milli)), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_by_its_text() {
        for text in ["", ".", "1.2.3", "Mi", "64mi", "64MB", "1e", "1e1.5", "-1", "+1", "1 Mi", "\u{661}"] {
            let refused = Bytes::parse(&quantity(text));
            assert_eq!(refused, Err(AmountError::NotAQuantity(text.to_owned())), "{text}");
        }
        for text in ["8Ei", "1e64", "99999999999999999999999999999999", "1e30"] {
            assert_eq!(Bytes::parse(&quantity(text)), Err(AmountError::TooLarge(text.to_owned())), "{text}");
        }
        assert_eq!(count(&quantity("1.5")), Err(AmountError::NotWhole("1.5".to_owned())));
        assert_eq!(count(&quantity("0.2k")), Ok(200));
    }

    #[test]
    fn an_amount_is_told_as_people_write_it() {
        let told = [Bytes(64 << 20), Bytes(1537), Bytes(1000), Bytes(0), Bytes(1 << 60)].map(|bytes| bytes.to_string());
        assert_eq!(told, ["64Mi", "1537", "1000", "0", "1Ei"]);
        assert_eq!([MilliCpu(2000), MilliCpu(250)].map(|cpu| cpu.to_string()), ["2", "250m"]);
    }
}
