"""A DynamoDB for the ledger, in memory: the operations, conditions and updates that the ledger and its tests have.

`dynamodb` has the operations; read it first. Below it, each on those after it only:

    writes                  one write, on its own or of a transaction
    tables                  tables and items, in the order of their keys
    conditions · updates    what expressions say, taken apart once for each text
    expressions             what both have in common; `reserved` has the words that name nothing
    values · errors         values as the JSON has them, and what is refused in which words
"""
