"""The extractor for product pages without structured data: what shops' markup and words have in common.

In: a page. Out: findings with their evidence, or `NotApplicable` where a page does not plainly offer one product.
Open `markup` first: it is the extractor.

    markup    which fields it can tell, and the first candidate that is a value
    page      the page's visible elements, its heading, its buy buttons
    places    where heading, price and availability stand
    labels    values beside their labels, such as article numbers
    words     those labels and names, in many languages
"""
