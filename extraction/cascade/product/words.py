"""The words by which shops label what stands on a product page, in the languages we meet most."""

from __future__ import annotations

import re

from extraction.states import ProductRole

_LABELS = {
    ProductRole.SKU: (
        r"sku|asin|item (?:no|number|code|id|#)|article (?:no|number|code)|art\.? ?(?:no|nr|n[°º])?|"
        r"product (?:code|id|no|number)|id (?:produto|producto|prodotto|produit|produktu)|prod\.? code|"
        r"stock code|catalog(?:ue)? (?:no|number)|ref(?:\.|erence|érence|erencia|erência)?(?: (?:no|number|"
        r"produit|article|produto|producto))?|model code|style (?:code|no|number|#)|artikel-?(?:nummer|nr|"
        r"code)|bestell-?(?:nummer|nr)|produkt-?(?:nummer|nr|id|kod)|codice (?:prodotto|articolo)?|"
        r"cod\.?(?: art\.?| prodotto)?|c[óo]d(?:igo|\.)?(?: do produto| del? producto| de artículo)?|"
        r"code (?:article|produit)|n[°º] (?:article|d'article|de référence)|kód(?: produktu| zboží| tovaru)?|"
        r"katalógové číslo|objednací kód|číslo (?:produktu|zboží)|šifra(?: (?:izdelka|artikla|proizvoda))?|"
        r"koda izdelka|kod (?:produktu|towaru)|symbol|артикул(?: товара)?|код(?: товара)?|арт\.?|ad id|lot id|"
        r"رمز المنتج|رقم المنتج|商品コード|商品编号"
    ),
    ProductRole.BRAND: (
        r"brand(?: name)?|marke|marca|marque|značka|marka|merk|märke|mærke|merke|manufacturer|hersteller|"
        r"fabricante|fabricant|fabbricante|produttore|producent|výrobce|výrobca|proizvajalec|proizvođač|"
        r"blagovna znamka|бренд|марка|производитель|العلامة التجارية|الماركة|ブランド|メーカー|品牌|brend|label"
    ),
    ProductRole.MPN: (
        r"mpn|(?:manufacturer'?s? )?part (?:no|number|#)|mfr\.? (?:part )?(?:no|number|#)?|"
        r"manufacturer part number|item model (?:no|number)|model (?:no|number)|modellnummer|herstellernummer|"
        r"hersteller-?(?:artikel)?-?(?:nr|nummer)|teilenummer|numéro (?:de modèle|du modèle|"
        r"de pièce)(?: de l'article)?|référence (?:fabricant|constructeur)|numero (?:modello|di modello|"
        r"modello articolo)(?: articolo)?|número de modelo(?: del producto)?|part ?number|référence du modèle|"
        r"codice (?:produttore|modello)|part number \(p/n\)|p/n|kód výrobce|kód výrobcu"
    ),
    ProductRole.GTIN: (
        r"gtin(?:-?\d+)?|ean(?:[- ]?(?:13|8|code|kód|kod|nummer))?|upc|isbn(?:-?1[03])?|barcode|jan(?: code)?|"
        r"čiarový kód|штрих-?код|código de barras|code[- ]barres|codice a barre|strichcode"
    ),
}
LABELS = {role: re.compile(rf"(?:{words})", re.I) for role, words in _LABELS.items()}
#: A label and its value in one piece of text: `SKU: AB-12`, `Art. 4711`.
LABELLED = {
    role: re.compile(rf"(?P<label>{_LABELS[role]})(?!\w){rest}", re.I)
    for role, rest in {
        ProductRole.SKU: r"\.?\s*(?P<mark>[:#.：]|n[°º]\.?)?\s*(?P<value>\S+)",
        ProductRole.BRAND: r"\s*(?P<mark>[:：])\s*(?P<value>[^\s:].{0,59})",
        ProductRole.MPN: r"\.?\s*(?P<mark>[:#：])\s*(?P<value>[^\s:].{0,39})",
        ProductRole.GTIN: r"\s*(?P<mark>[:#：])?\s*(?P<value>\d{8,14})",
    }.items()
}
#: What a value of each role looks like.
SHAPES = {
    ProductRole.SKU: re.compile(r"(?=[^\s]*\d)[\w][\w./#-]{2,39}"),
    ProductRole.BRAND: re.compile(r"(?=.*[^\W\d_])[^:|{}<>$]{2,50}"),
    ProductRole.MPN: re.compile(r"(?=.*\d)[\w][\w ./#+()-]{2,39}"),
    ProductRole.GTIN: re.compile(r"\d{8}|\d{10}|\d{12,14}"),
}
PRICE_NAME = re.compile(
    r"price|prezzo|precio|preis|(?:^|[-_ ])prix|pre[cç]o|cena|cijena|цена|fiyat|(?:^|[-_ ])prijs|amount-due", re.I
)
CURRENT_PRICE_NAME = re.compile(
    r"our|deal|current|actual|final|sale|special|offer|now|main|product|selling|best|aktual|finalna|buy", re.I
)
FORMER_PRICE_NAME = re.compile(
    r"old|was|list-?price|strike|before|regular|original|cross|rrp|msrp|uvp|statt|ante|previous|compare|normal|"
    r"full-?price|savings?|save|discount|you-?save|percent|shipping|delivery|install?ment|month|unit-?price|per-?unit"
    r"|ppu|from-?price|range|total|credit|finance|earn|points|coupon|voucher|ticker|alert|filter|wholesale|"
    r"member|loyalty|card|internet|coupon|cuota|label|currency|match|history",
    re.I,
)
STOCK_NAME = re.compile(
    r"availab|stock(?!ist)|verf(?:ü|ue)gbar|disponib|disponiv|dostupn|sklad|lager|zalog|nalichi|наличи|voorraad", re.I
)
BUY_NAME = re.compile(
    r"add[-_ ]?(?:item[-_ ]?)?to[-_ ]?(?:shopping[-_ ]?)?(?:cart|basket|bag|trolley)|addtocart|addcart|btn-?cart|"
    r"cart-?(?:button|btn|add)|buy-?(?:now|button|btn|box|product)|buybox|basket/add|cart/add|basket-?add|add-?basket|ajout(?:er)?-?panier|"
    r"warenkorb|do-?kosik|kosar|carrito|carrinho|sepet|in-?den-?korb",
    re.I,
)
#: Regions that are about other goods, unless the page's heading lies inside.
ASIDE_NAME = re.compile(
    r"relat|recommend|similar|carousel|cross-?sell|up-?sell|also|sponsor|recent|histor|mini-?cart|mini-?basket|menu|"
    r"compar|bundle|accessor|review|warranty|footer|header|breadcrumb|navbar|newsletter|popular|bestsell|suggest|"
    r"banner|cookie|login|other-?seller|more-?buying|olp|used|swatch|advert|quick-?view|frequently|sticky",
    re.I,
)
ASIDE_TAGS = frozenset({"nav", "footer", "aside", "header"})
FORMER_TAGS = frozenset({"del", "s", "strike"})
PRODUCT_PATHS = {
    ProductRole.NAME: "Product.name",
    ProductRole.PRICE: "Product.offers.price",
    ProductRole.AVAILABILITY: "Product.offers.availability",
    ProductRole.SKU: "Product.sku",
    ProductRole.GTIN: "Product.gtin13",
    ProductRole.MPN: "Product.mpn",
    ProductRole.BRAND: "Product.brand",
}
