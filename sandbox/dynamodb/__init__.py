"""A DynamoDB for the ledger: moto's, behind one door and made faster.

Read `dynamodb` first. `quick` changes nothing of what moto answers.
"""
