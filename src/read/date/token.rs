//! A text cut into numbers, words and signs.

use std::ops::RangeInclusive;

/// Digits of a number that are kept: all that fit.
const KEPT: u32 = 19;

/// A run of ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// Value of the first 19 digits.
    pub value: u64,
    /// How many digits there are.
    pub digits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Number(Number),
    /// A run of letters; a Chinese, Japanese or Korean unit of time is one by itself.
    Word(&'t str),
    /// Any other visible character.
    Sign(char),
}

/// A token, and whether it stands directly behind the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'t> {
    token: Token<'t>,
    glued: bool,
}

/// Cuts a text, which must be in small letters.
pub(super) fn split(text: &str) -> Vec<Placed<'_>> {
    let mut tokens = Vec::with_capacity(24);
    let mut rest = text;
    let mut glued = false;
    while let Some(first) = rest.chars().next() {
        let end = run(rest, first);
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        if first.is_whitespace() || first.is_control() {
            glued = false;
            continue;
        }
        let token = match first {
            '0'..='9' => Token::Number(number(piece)),
            c if c.is_alphabetic() => Token::Word(piece),
            c => Token::Sign(c),
        };
        tokens.push(Placed { token, glued });
        glued = true;
    }
    tokens
}

/// Bytes that belong together at the beginning of the text.
fn run(text: &str, first: char) -> usize {
    let until = |ends: fn(char) -> bool| text.find(ends).unwrap_or(text.len());
    match first {
        '0'..='9' => until(|c| !c.is_ascii_digit()),
        c if c.is_alphabetic() && !is_unit(c) => until(|c| !c.is_alphabetic() || is_unit(c)),
        c => c.len_utf8(),
    }
}

fn is_unit(c: char) -> bool {
    matches!(c, '年' | '月' | '日' | '号' | '號' | '時' | '时' | '点' | '點' | '分' | '秒')
        || matches!(c, '년' | '월' | '일' | '시' | '분' | '초')
}

fn number(digits: &str) -> Number {
    let kept = digits.bytes().take(KEPT as usize);
    let value = kept.fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
    Number { value, digits: u32::try_from(digits.len()).unwrap_or(u32::MAX) }
}

/// A place between tokens. Every step gives a new place, so going back costs nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'t>(&'t [Placed<'t>]);

impl<'t> Cursor<'t> {
    pub fn of(tokens: &'t [Placed<'t>]) -> Self {
        Self(tokens)
    }

    pub fn is_end(self) -> bool {
        self.0.is_empty()
    }

    /// True when the next token stands directly behind the one before.
    pub fn is_glued(self) -> bool {
        self.0.first().is_some_and(|placed| placed.glued)
    }

    pub fn is_number(self) -> bool {
        matches!(self.0.first(), Some(Placed { token: Token::Number(_), .. }))
    }

    pub fn next(self) -> Option<(Token<'t>, Self)> {
        let (first, rest) = self.0.split_first()?;
        Some((first.token, Self(rest)))
    }

    pub fn any_number(self) -> Option<(Number, Self)> {
        match self.next()? {
            (Token::Number(number), next) => Some((number, next)),
            _ => None,
        }
    }

    /// A number of so many digits, nine at most.
    pub fn number(self, digits: RangeInclusive<u32>) -> Option<(u32, Self)> {
        let (number, next) = self.any_number().filter(|(number, _)| digits.contains(&number.digits))?;
        Some((u32::try_from(number.value).ok()?, next))
    }

    /// A number of so many digits that stands directly behind the token before.
    pub fn glued_number(self, digits: RangeInclusive<u32>) -> Option<(u32, Self)> {
        self.number(digits).filter(|_| self.is_glued())
    }

    pub fn sign(self, signs: &[char]) -> Option<(char, Self)> {
        match self.next()? {
            (Token::Sign(sign), next) if signs.contains(&sign) => Some((sign, next)),
            _ => None,
        }
    }

    pub fn word(self) -> Option<(&'t str, Self)> {
        match self.next()? {
            (Token::Word(word), next) => Some((word, next)),
            _ => None,
        }
    }

    /// Behind one of these words.
    pub fn one_of(self, words: &[&str]) -> Option<Self> {
        self.word().filter(|(word, _)| words.contains(word)).map(|(_, next)| next)
    }

    /// The first number, and what is behind it.
    pub fn skip_to_number(self) -> Option<(Number, Self)> {
        let first = self.0.iter().position(|placed| matches!(placed.token, Token::Number(_)))?;
        Self(&self.0[first..]).any_number()
    }

    /// Milliseconds of `.5` or `,5` that stands directly behind a number.
    pub fn fraction(self) -> Option<(u32, Self)> {
        let (_, point) = self.sign(&['.', ',']).filter(|_| self.is_glued())?;
        let (number, next) = point.any_number().filter(|_| point.is_glued())?;
        let kept = number.digits.min(KEPT);
        let millis = if kept >= 3 { number.value / 10_u64.pow(kept - 3) } else { number.value * 10_u64.pow(3 - kept) };
        Some((u32::try_from(millis).ok()?, next))
    }
}
