"""Numbers for print that do not say more than is so."""

from __future__ import annotations


def share_text(value: float, digits: int = 2) -> str:
    """A number for print; 1 and 0 are said only of what is 1 or 0.

    What would be rounded up to 1 or down to 0 gets a decimal more, and where that does not suffice, a bound.

    Parameters
    ----------
    value
        A share, or any number: only what lies between 0 and 1 is concerned.
    digits
        Decimals.

    Examples
    --------
    >>> share_text(0.8125), share_text(299 / 300), share_text(0.99996), share_text(0.0001), share_text(1.0)
    ('0.81', '0.997', '> 0.999', '< 0.001', '1.00')
    """
    for more in (digits, digits + 1):
        text = f"{value:.{more}f}"
        if not 0 < value < 1 or 0 < float(text) < 1:
            return text
    least = 10.0 ** -(digits + 1)
    return f"< {least:.{digits + 1}f}" if value < 0.5 else f"> {1 - least:.{digits + 1}f}"


def end_text(value: float, digits: int = 2) -> str:
    """An end of an interval for print: as :func:`share_text`, but never a bound, which would be one of a bound.

    Examples
    --------
    >>> end_text(0.9967), end_text(0.99996), end_text(0.5)
    ('0.997', '1.000', '0.50')
    """
    text = f"{value:.{digits}f}"
    return f"{value:.{digits + 1}f}" if 0 < value < 1 and not 0 < float(text) < 1 else text


def percent_text(share: float) -> str:
    """Whole percent; 100 % and 0 % are said only of all and none.

    Examples
    --------
    >>> percent_text(0.5), percent_text(299 / 300), percent_text(0.001), percent_text(1.0)
    ('50%', '>99%', '<1%', '100%')
    """
    text = f"{share:.0%}"
    if share < 1 and text == "100%":
        return ">99%"
    return "<1%" if share > 0 and text == "0%" else text
