"""What shops write about availability, as the members of schema.org's ItemAvailability."""

from __future__ import annotations

import re

from extraction.states import Availability

_PHRASES: tuple[tuple[Availability, str], ...] = (
    (
        Availability.OUT_OF_STOCK,
        r"out of stock|sold out|currently unavailable|temporarily unavailable|not available|no longer available"
        r"|unavailable|oos|not in stock|nicht (?:mehr |auf lager|verfügbar|lieferbar)[\w ]*|ausverkauft|derzeit nicht"
        r"|vergriffen|épuisé|indisponible|rupture de stock|en rupture|non disponibile|attualmente non|esaurito"
        r"|agotado|no disponible|sin stock|sin existencias|esgotado|indisponível|não disponível|sem stock"
        r"|uitverkocht|niet op voorraad|niet beschikbaar|vypredané|vyprodáno|nie je skladom|není skladem"
        r"|nedostupn\w+|brak w magazynie|niedostępny|wyprzedane|ni na zalogi|nema na zalihi|rasprodano"
        r"|нет в наличии|нет на складе|распродан\w*|товар закончился|slutsåld|ej i lager|udsolgt|utsolgt"
        r"|stokta yok|tükendi|غير متوفر|نفدت|在庫切れ|在庫なし|缺货|售罄|품절",
    ),
    (
        Availability.PRE_ORDER,
        r"pre[- ]?order(?: now)?|vorbestell\w*|vorbestellbar|précommande\w*|pré-commande\w*|preordina\w*"
        r"|preventa|reserva anticipada|pré-venda|предзаказ|předobjedn\w*|predobjedn\w*",
    ),
    (Availability.BACK_ORDER, r"back[- ]?order(?:ed)?|available on backorder"),
    (Availability.DISCONTINUED, r"discontinued|fin de série|auslaufartikel abverkauft"),
    (Availability.IN_STORE_ONLY, r"in[- ]store only|nur im markt|solo en tienda|uniquement en magasin"),
    (
        Availability.IN_STOCK,
        r"in stock|only \d+ left(?: in stock)?|available(?: now| immediately| for delivery)?|ready to ship"
        r"|add to (?:cart|basket|bag|trolley)|buy (?:it )?now|auf lager|lagernd|sofort lieferbar|lieferbar|vorrätig"
        r"|verfügbar|in den (?:einkaufswagen|warenkorb)\w*|en stock|disponible|ajouter au panier|acheter"
        r"|disponibile|disponibilità immediata|aggiungi al carrello|acquista|añadir (?:a la cesta|al carrito)"
        r"|agregar al (?:carro|carrito)|comprar(?: agora| ahora| ya)?|en existencias?|em stock|em estoque|disponível"
        r"|adicionar (?:ao carrinho|à sacola|ao cesto)|op voorraad|in winkelwagen|skladom|skladem|na sklad[eě]"
        r"|do košíka|do košíku|vložiť do košíka|kúpiť|koupit|na zalogi|v košarico|dodaj v košarico|dodaj u košaricu"
        r"|na zalihi|na stanju|u košaricu|dostępny|w magazynie|do koszyka|dodaj do koszyka|в наличии|есть в наличии"
        r"|на складе|в корзину|добавить в корзину|купить|i lager|på lager|lägg i (?:kundvagn\w*|varukorg\w*)"
        r"|læg i kurv|kjøp|stokta var|sepete ekle|متوفر|أضف إلى (?:السلة|الحقيبة|العربة)|في المخزن"
        r"|在庫あり|カートに入れる|有货|加入购物车|장바구니",
    ),
)
_PATTERNS = tuple((name, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.I)) for name, words in _PHRASES)
MAX_PHRASE_CHARACTERS = 160


def is_only_availability(raw: str) -> bool:
    """Return whether a text is one availability phrase and nothing else, marks aside."""
    text = " ".join(raw.split()).strip(" .!:✓✔●•-–")
    return any(pattern.fullmatch(text) for _, pattern in _PATTERNS)


def availability_named(raw: str) -> Availability | None:
    """Return the ItemAvailability member that a short text states, or None.

    Phrases for what is missing are tried first: "not available" contains "available".
    """
    if len(raw) > MAX_PHRASE_CHARACTERS:
        return None
    text = " ".join(raw.split())
    return next((name for name, pattern in _PATTERNS if pattern.search(text)), None)
