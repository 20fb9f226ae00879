"""Values as pages write them, read right or refused. Knows no Django.

In: a raw string and the field it is for. Out: a value in the stored form of the field's type, or `BadValue`. Open
`parse` first: extractors and the check of evidence read values through it alone.

    parse           a raw string as a value of a field's type
    numbers         numbers, in digits and with words such as "million"
    money           amounts with their currency
    dates, months   dates without an invented day or month; month names in seven languages
    availability    shops' phrases as schema.org's ItemAvailability
"""
