"""Requests made of the OpenAPI document, and of its examples: does the service do what the document says?"""
