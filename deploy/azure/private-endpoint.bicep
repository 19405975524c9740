// A storage account's address in the network of a subnet, and the name that resolves to it there.

@description('Region of the subnet.')
param location string

@description('Account in this resource group.')
param accountName string

@description('Service of the account that is reached.')
@allowed(['blob', 'file'])
param groupId string

@description('Subnet that the address is taken from.')
param subnetId string

@description('false where the zone is kept elsewhere.')
param makeDnsZone bool

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource endpoint 'Microsoft.Network/privateEndpoints@2023-11-01' = {
  name: '${accountName}-${groupId}'
  location: location
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: account.id
          groupIds: [groupId]
        }
      }
    ]
  }

  resource zones 'privateDnsZoneGroups' = if (makeDnsZone) {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: { privateDnsZoneId: zone.id }
        }
      ]
    }
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2020-06-01' = if (makeDnsZone) {
  name: 'privatelink.${groupId}.${environment().suffixes.storage}'
  location: 'global'

  resource network 'virtualNetworkLinks' = if (makeDnsZone) {
    name: uniqueString(subnetId)
    location: 'global'
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: split(subnetId, '/subnets/')[0] }
    }
  }
}
