// What Sluice needs of Azure beside the cluster: the account and container that receive the blobs, the identity that may write
// there and nowhere else, and a share over NFS. Nothing here has a key, and nothing is reached from outside of the network.
// docs/deploy.md says how to use it.
targetScope = 'resourceGroup'

@description('Region of everything. Take the one of the cluster.')
param location string = resourceGroup().location

@description('Account that receives the blobs: lower-case letters and digits, unique in Azure.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Redundancy of the account that receives the blobs.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param accountSku string = 'Standard_ZRS'

@description('Container that receives the blobs: APP_AZURE_CONTAINER.')
@minLength(3)
@maxLength(63)
param containerName string = 'ingest'

@description('Identity of the uploaders.')
param identityName string = 'sluice-uploader'

@description('Issuer of the cluster: az aks show --query oidcIssuerProfile.issuerUrl.')
param oidcIssuer string

@description('Namespace of the uploaders.')
param kubernetesNamespace string = 'sluice'

@description('Service account of the uploaders: sluice-uploader, or <release>-uploader with Helm.')
param serviceAccountName string = 'sluice-uploader'

@description('Premium account of the share: lower-case letters and digits, unique in Azure. Empty: no share is made.')
@maxLength(24)
param nfsAccountName string = ''

@description('Redundancy of the share.')
@allowed(['Premium_LRS', 'Premium_ZRS'])
param nfsAccountSku string = 'Premium_ZRS'

@description('Share that producers, scanner and uploaders have in common.')
param shareName string = 'sluice'

@description('Size of the share in GiB. Its speed grows with it.')
@minValue(100)
param shareGib int = 1024

@description('A new share belongs to root, who opens it at the first mount. RootSquash from the second deployment on.')
@allowed(['NoRootSquash', 'RootSquash'])
param rootSquash string = 'NoRootSquash'

@description('Subnet of the private endpoints, reached from the nodes. Its network gets the zones that resolve them.')
param subnetId string

@description('false where private DNS zones are kept elsewhere, in a hub for instance, and filled by a policy.')
param makeDnsZones bool = true

var withShare = !empty(nfsAccountName)

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: accountName
  location: location
  kind: 'StorageV2'
  sku: { name: accountSku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: 'Disabled'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource container 'containers' = {
      name: containerName
      properties: { publicAccess: 'None' }
    }
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: identityName
  location: location

  resource pods 'federatedIdentityCredentials' = {
    name: 'sluice-${kubernetesNamespace}'
    properties: {
      issuer: oidcIssuer
      subject: 'system:serviceaccount:${kubernetesNamespace}:${serviceAccountName}'
      audiences: ['api://AzureADTokenExchange']
    }
  }
}

@description('Storage Blob Data Contributor, the least of the built-in roles that may write, read back and clean up.')
resource contributor 'Microsoft.Authorization/roleDefinitions@2022-04-01' existing = {
  scope: subscription()
  name: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
}

resource mayWrite 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::container
  name: guid(account::blobs::container.id, identity.id, contributor.id)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: contributor.id
  }
}

module blobEndpoint 'private-endpoint.bicep' = {
  name: 'sluice-blob-endpoint'
  params: {
    location: location
    accountName: account.name
    groupId: 'blob'
    subnetId: subnetId
    makeDnsZone: makeDnsZones
  }
}

resource nfsAccount 'Microsoft.Storage/storageAccounts@2023-05-01' = if (withShare) {
  // a name is looked at also where nothing is made; a condition does not hold for what is inside, so each part has it
  name: withShare ? nfsAccountName : 'none'
  location: location
  kind: 'FileStorage'
  sku: { name: nfsAccountSku }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: 'Disabled'
    // NFS is no HTTPS: with true here every mount without encryption in transit is refused
    supportsHttpsTrafficOnly: false
  }

  resource files 'fileServices' = if (withShare) {
    name: 'default'

    resource share 'shares' = if (withShare) {
      name: shareName
      properties: {
        enabledProtocols: 'NFS'
        rootSquash: rootSquash
        shareQuota: shareGib
      }
    }
  }
}

module fileEndpoint 'private-endpoint.bicep' = if (withShare) {
  name: 'sluice-file-endpoint'
  params: {
    location: location
    accountName: nfsAccount.name
    groupId: 'file'
    subnetId: subnetId
    makeDnsZone: makeDnsZones
  }
}

@description('APP_AZURE_ACCOUNT_URL.')
output accountUrl string = 'https://${account.name}.blob.${environment().suffixes.storage}'

@description('Client id for the annotation of the service account.')
output clientId string = identity.properties.clientId

@description('Host of the share, for volumes of the type nfs; its path is /<nfsAccountName>/<shareName>.')
output nfsServer string = withShare ? '${nfsAccountName}.file.${environment().suffixes.storage}' : ''
