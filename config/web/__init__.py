"""What every HTTP request passes: the API, bounded parsing, errors as problems, security headers.

In: requests. Out: replies, or RFC 9457 problems. Open `api` first:

    api                 the REST API, made of the apps' routers
    bounded_json        request bodies and query strings: bounded, and storable
    problems            errors as `application/problem+json`
    validation_words    validation errors as one sentence
    security            the content security policy
    limits              threads of the web server, size of a body
"""
