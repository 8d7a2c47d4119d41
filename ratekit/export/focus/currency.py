"""Currencies by their codes, as FOCUS wants them."""

from __future__ import annotations

from ratekit import errors

_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD "
    "CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS "
    "GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW "
    "KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR "
    "MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR "
    "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
#: National currencies of ISO 4217.
CODES = frozenset(_CODES.split())


def require_code(currency: str) -> str:
    """Return the currency of ``[rating] currency``, if FOCUS has it.

    :raises ratekit.errors.OperatorError: it is no code of ISO 4217
    """
    if currency not in CODES:
        setting = f"not {currency!r}" if currency else "which is not set"
        raise errors.OperatorError(
            f"[rating] currency: FOCUS needs a currency code of ISO 4217 such as EUR, {setting}"
        )
    return currency
