"""The extractor for product pages without structured data: what words and markup usually say around a price.

In: a page. Out: findings with their proof. Open `product_markup` first.
"""
