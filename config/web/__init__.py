"""What every HTTP request passes: the API's roof, bounded parsing, errors as problems, security headers.

In: requests. Out: replies, or RFC 9457 problems. Open `api` first.
"""
