"""What the tests of the REST API share: a client of a user who may do everything."""


